using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>The backward of some dimensions of one sequence, from the last step to the first. Gradients that are not wanted are null.</summary>
internal unsafe struct LruScanBackward : ISimdKernel
{
    /// <summary>Steps whose share of λ's gradient is summed before it joins the rest: rounding then grows with the root of far fewer terms.</summary>
    private const int StepsASum = 64;

    public int Length, Count;
    public long Dims;                      // from the real part of a step to its imaginary one; twice that to the next step
    public float* Lambda;
    public float* Initial;                 // null: zero
    public float* States;
    public float* GradStates, GradLast;    // null: zero
    public float* GradX, GradInitial;
    public float* GradLambda;              // this sequence's own part

    /// <summary>Of the whole tensors' work, that of some dimensions of one sequence.</summary>
    public readonly LruScanBackward Piece(long batch, int first, int count)
    {
        var start = batch * Length * 2 * Dims + first;
        var state = batch * 2 * Dims + first;
        return this with
        {
            Count = count,
            Lambda = Lambda + first,
            Initial = Pointers.At(Initial, state),
            States = States + start,
            GradStates = Pointers.At(GradStates, start),
            GradLast = Pointers.At(GradLast, state),
            GradX = Pointers.At(GradX, start),
            GradInitial = Pointers.At(GradInitial, state),
            GradLambda = Pointers.At(GradLambda, state),
        };
    }

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var padded = Count + V.Count;                          // whole vectors
        var memory = stackalloc float[7 * padded];
        new Span<float>(memory, 7 * padded).Clear();
        var rows = new Rows
        {
            Carried = memory,
            CarriedIm = memory + padded,
            Sum = memory + 2 * padded,
            SumIm = memory + 3 * padded,
            Total = memory + 4 * padded,
            TotalIm = memory + 5 * padded,
            Zeros = memory + 6 * padded,
        };
        if (GradLast != null)
        {
            new Span<float>(GradLast, Count).CopyTo(new Span<float>(rows.Carried, Count));
            new Span<float>(GradLast + Dims, Count).CopyTo(new Span<float>(rows.CarriedIm, Count));
        }
        var whole = Count - Count % V.Count;
        for (var t = Length - 1; t >= 0; t--)
        {
            for (var i = 0; i < whole; i += V.Count)
                Step<V>(rows, t, i, V.Count);
            if (whole < Count)
                Step<V>(rows, t, whole, Count - whole);
            if (t % StepsASum == 0)
                Gather<V>(rows);
        }
        if (GradInitial != null)
            Write(GradInitial, rows.Carried, rows.CarriedIm);
        if (GradLambda != null)
            Write(GradLambda, rows.Total, rows.TotalIm);
    }

    private readonly void Step<V>(in Rows rows, int t, int i, int count)
        where V : struct, ILanes<V>
    {
        var row = 2L * t * Dims + i;
        float* before = rows.Zeros, beforeIm = rows.Zeros;
        if (t > 0 || Initial != null)
        {
            before = t > 0 ? States + row - 2 * Dims : Initial + i;
            beforeIm = before + Dims;
        }

        var (gr, gi) = (V.Load(rows.Carried + i), V.Load(rows.CarriedIm + i));
        if (GradStates != null)
        {
            gr += Load<V>(GradStates + row, count);
            gi += Load<V>(GradStates + row + Dims, count);
        }
        if (GradX != null)
        {
            Store(gr, GradX + row, count);
            Store(gi, GradX + row + Dims, count);
        }
        var (lr, li) = (Load<V>(Lambda + i, count), Load<V>(Lambda + Dims + i, count));
        Gates.Flush(V.MultiplyAdd(lr, gr, li * gi)).Store(rows.Carried + i);       // times the conjugate of λ
        Gates.Flush(V.MultiplyAdd(lr, gi, -(li * gr))).Store(rows.CarriedIm + i);
        if (GradLambda == null)
            return;
        var (hr, hi) = (Load<V>(before, count), Load<V>(beforeIm, count));
        V.MultiplyAdd(gr, hr, V.MultiplyAdd(gi, hi, V.Load(rows.Sum + i))).Store(rows.Sum + i);
        V.MultiplyAdd(gi, hr, V.MultiplyAdd(-gr, hi, V.Load(rows.SumIm + i))).Store(rows.SumIm + i);
    }

    /// <summary>Adds the sums of the last steps to the totals and starts them anew.</summary>
    private readonly void Gather<V>(in Rows rows)
        where V : struct, ILanes<V>
    {
        for (var i = 0; i < Count; i += V.Count)
        {
            (V.Load(rows.Total + i) + V.Load(rows.Sum + i)).Store(rows.Total + i);
            (V.Load(rows.TotalIm + i) + V.Load(rows.SumIm + i)).Store(rows.TotalIm + i);
            V.Zero.Store(rows.Sum + i);
            V.Zero.Store(rows.SumIm + i);
        }
    }

    private readonly void Write(float* target, float* re, float* im)
    {
        new Span<float>(re, Count).CopyTo(new Span<float>(target, Count));
        new Span<float>(im, Count).CopyTo(new Span<float>(target + Dims, Count));
    }

    private static V Load<V>(float* source, int count)
        where V : struct, ILanes<V> => count == V.Count ? V.Load(source) : V.LoadPartial(source, count);

    private static void Store<V>(V value, float* target, int count)
        where V : struct, ILanes<V>
    {
        if (count == V.Count)
            value.Store(target);
        else
            value.StorePartial(target, count);
    }

    /// <summary>A piece's own memory, whole vectors each.</summary>
    private struct Rows
    {
        public float* Carried, CarriedIm;  // the gradient that reaches a step's state from the steps after it
        public float* Sum, SumIm, Total, TotalIm;
        public float* Zeros;
    }
}
