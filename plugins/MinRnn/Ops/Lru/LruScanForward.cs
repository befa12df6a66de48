using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>The forward of some dimensions of one sequence.</summary>
internal unsafe struct LruScanForward : ISimdKernel
{
    public int Length, Count;
    public long Dims;                      // from the real part of a step to its imaginary one; twice that to the next step
    public float* X, Lambda;
    public float* Initial;                 // null: zero
    public float* States, Last;

    /// <summary>Of the whole tensors' work, that of some dimensions of one sequence.</summary>
    public readonly LruScanForward Piece(long batch, int first, int count)
    {
        var start = batch * Length * 2 * Dims + first;
        var state = batch * 2 * Dims + first;
        return this with
        {
            Count = count,
            X = X + start,
            Lambda = Lambda + first,
            Initial = Pointers.At(Initial, state),
            States = States + start,
            Last = Last + state,
        };
    }

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var count = Count;
        float* before = Last, beforeIm = Last + Dims;          // the state before this step
        if (Initial == null)
        {
            new Span<float>(before, count).Clear();
            new Span<float>(beforeIm, count).Clear();
        }
        else
        {
            new Span<float>(Initial, count).CopyTo(new Span<float>(before, count));
            new Span<float>(Initial + Dims, count).CopyTo(new Span<float>(beforeIm, count));
        }
        var whole = count - count % V.Count;
        for (var t = 0; t < Length; t++)
        {
            float* x = X + 2 * t * Dims, h = States + 2 * t * Dims;
            for (var i = 0; i < whole; i += V.Count)
            {
                Step(V.Load(Lambda + i), V.Load(Lambda + Dims + i), V.Load(before + i), V.Load(beforeIm + i), V.Load(x + i), V.Load(x + Dims + i),
                    out var re, out var im);
                re.Store(h + i);
                im.Store(h + Dims + i);
            }
            if (whole < count)
            {
                var rest = count - whole;
                Step(V.LoadPartial(Lambda + whole, rest), V.LoadPartial(Lambda + Dims + whole, rest), V.LoadPartial(before + whole, rest),
                    V.LoadPartial(beforeIm + whole, rest), V.LoadPartial(x + whole, rest), V.LoadPartial(x + Dims + whole, rest),
                    out var re, out var im);
                re.StorePartial(h + whole, rest);
                im.StorePartial(h + Dims + whole, rest);
            }
            before = h;
            beforeIm = h + Dims;
        }
        if (Length > 0)
        {
            new Span<float>(before, count).CopyTo(new Span<float>(Last, count));
            new Span<float>(beforeIm, count).CopyTo(new Span<float>(Last + Dims, count));
        }

        static void Step(V lr, V li, V hr, V hi, V xr, V xi, out V re, out V im)
        {
            re = Gates.Flush(V.MultiplyAdd(lr, hr, V.MultiplyAdd(-li, hi, xr)));
            im = Gates.Flush(V.MultiplyAdd(lr, hi, V.MultiplyAdd(li, hr, xi)));
        }
    }
}
