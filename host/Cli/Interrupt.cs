using System.Runtime.InteropServices;

namespace Zoo.Host.Cli;

/// <summary>
/// Ctrl-C and termination. A command that asked for the token is asked to end, a training after saving; it is told of where that takes longer, and a second
/// Ctrl-C ends it at once, also in the midst of native code. One that has not asked has nothing to lose, and ends at once with a sentence.
/// </summary>
internal sealed class Interrupt : IDisposable
{
    /// <summary>How long a command may take to end before the user is told that it will.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;
    private bool _isAskedFor, _isOver;
    private Timer? _reminder;

    /// <summary>Listens until it is disposed.</summary>
    public Interrupt() => _registrations =
        [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(s => PosixSignalRegistration.Create(s, Handle))];

    /// <summary>Cancelled when the command should end. Whoever takes it has something to finish first.</summary>
    public CancellationToken Token
    {
        get
        {
            lock (_gate)
                _isAskedFor = true;
            return _source.Token;
        }
    }

    /// <summary>Where the user is told to wait.</summary>
    public Action<string> Note { get; set; } = _ => { };

    public void Dispose()
    {
        lock (_gate)
        {
            _isOver = true;
            _reminder?.Dispose();
        }
        foreach (var registration in _registrations)
            registration.Dispose();
        _source.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        lock (_gate)
        {
            if (_isOver || (_source.IsCancellationRequested && context.Signal == PosixSignal.SIGINT))
                return;   // the second Ctrl-C: the system's own way, at once
            context.Cancel = true;
            if (!_isAskedFor)
                EndAtOnce();
            _reminder ??= new Timer(_ => Note("Ending as soon as what is being computed is done. Another Ctrl-C ends it at once."), null, Patience, Timeout.InfiniteTimeSpan);
        }
        _source.Cancel();
    }

    /// <summary>Ends the process and nothing else: libtorch's threads may be at work, and its own end would take what they work on from them.</summary>
    private static void EndAtOnce()
    {
        Console.Error.WriteLine("Interrupted.");
        if (OperatingSystem.IsWindows())
            Environment.Exit(ExitCode.Interrupted);
        NativeMethods.ExitNow(ExitCode.Interrupted);
    }
}
