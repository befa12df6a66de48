namespace Zoo.Kernels.Cpu;

/// <summary>Shares independent pieces of work among threads that stay parked between calls.</summary>
/// <remarks>
/// A kernel runs between libtorch's operations, never beside them, and libtorch's own threads sleep while they wait
/// (<see cref="Native.LibTorch"/>), so the two sets do not fight. Which thread takes which piece is open, so a piece must not depend on it;
/// reductions over pieces are the caller's, in a fixed order.
/// </remarks>
public static class WorkShare
{
    private static readonly Lock Region = new();
    private static Crew? _crew;
    private static int _threads = 1;

    /// <summary>How many threads kernels use; the host sets it from `--threads`.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Below 1.</exception>
    public static int Threads
    {
        get => _threads;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            _threads = value;
        }
    }

    /// <summary>Runs <paramref name="body"/> for 0 to <paramref name="count"/> - 1, each once, and returns when all are done.</summary>
    /// <exception cref="AggregateException">Pieces failed; the others were run.</exception>
    public static void For(int count, Action<int> body)
    {
        var threads = Math.Min(Threads, count);
        // One region at a time: a nested or concurrent one runs where it is. The lock lets its own thread in again, so that is asked first.
        if (threads <= 1 || Region.IsHeldByCurrentThread || !Region.TryEnter())
        {
            for (var i = 0; i < count; i++)
                body(i);
            return;
        }
        try
        {
            if (_crew is null || _crew.Helpers < threads - 1)
            {
                _crew?.Dismiss();
                _crew = new Crew(threads - 1);
            }
            _crew.Run(count, threads - 1, body);
        }
        finally
        {
            Region.Exit();
        }
    }

    /// <summary>Parked helper threads, and the work they are woken for.</summary>
    private sealed class Crew
    {
        private readonly SemaphoreSlim[] _wake;
        private readonly SemaphoreSlim _done = new(0);   // a CountdownEvent cannot be reset while its last Signal is still returning
        private readonly List<Exception> _failures = [];
        private Action<int> _body = _ => { };
        private int _count;
        private int _next;
        private int _busy;
        private volatile bool _dismissed;

        public Crew(int helpers)
        {
            _wake = new SemaphoreSlim[helpers];
            for (var i = 0; i < helpers; i++)
            {
                var wake = _wake[i] = new SemaphoreSlim(0);
                new Thread(() => Serve(wake)) { IsBackground = true, Name = $"zoo kernels {i + 1}" }.Start();
            }
        }

        public int Helpers => _wake.Length;

        public void Run(int count, int helpers, Action<int> body)
        {
            (_body, _count, _next, _busy) = (body, count, 0, helpers);
            for (var i = 0; i < helpers; i++)
                _wake[i].Release();
            TakePieces();
            _done.Wait();
            _body = _ => { };
            if (_failures.Count == 0)
                return;
            var failures = _failures.ToArray();
            _failures.Clear();
            throw new AggregateException(failures);
        }

        public void Dismiss()
        {
            _dismissed = true;
            foreach (var wake in _wake)
                wake.Release();
        }

        private void Serve(SemaphoreSlim wake)
        {
            while (true)
            {
                wake.Wait();
                if (_dismissed)
                    return;
                TakePieces();
                if (Interlocked.Decrement(ref _busy) == 0)
                    _done.Release();
            }
        }

        private void TakePieces()
        {
            int piece;
            while ((piece = Interlocked.Increment(ref _next) - 1) < _count)
            {
                try
                {
                    _body(piece);
                }
                catch (Exception e)
                {
                    lock (_failures)
                        _failures.Add(e);
                }
            }
        }
    }
}
