using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MatMulFree.Ops.Mlgru;

/// <summary>
/// The backward of some dimensions of one sequence, from the last step to the first; gates are reckoned again from the inputs. Gradients that are
/// not wanted are null.
/// </summary>
internal unsafe struct MlgruBackward : ISimdKernel
{
    public int Length, Count;
    public long Stride;                    // from one time step to the next
    public float* Input, Forget, States;
    public float* Bound, Initial;          // null: zero
    public float* GradStates, GradLast;    // null: zero
    public float* GradInput, GradForget, GradInitial;
    public float* GradBound;               // this sequence's part

    /// <summary>Of the whole tensors' work, that of some dimensions of one sequence.</summary>
    public readonly MlgruBackward Piece(long batch, int first, int count)
    {
        var start = batch * Length * Stride + first;
        var state = batch * Stride + first;
        return this with
        {
            Count = count,
            Input = Input + start,
            Forget = Forget + start,
            States = States + start,
            Bound = Pointers.At(Bound, first),
            Initial = Pointers.At(Initial, state),
            GradStates = Pointers.At(GradStates, start),
            GradLast = Pointers.At(GradLast, state),
            GradInput = Pointers.At(GradInput, start),
            GradForget = Pointers.At(GradForget, start),
            GradInitial = Pointers.At(GradInitial, state),
            GradBound = Pointers.At(GradBound, state),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var count = Count;
        var padded = count + V.Count;                          // whole vectors
        float* carried = stackalloc float[padded], zeros = stackalloc float[padded], bound = stackalloc float[padded], total = stackalloc float[padded];
        foreach (var row in (ReadOnlySpan<nint>)[(nint)carried, (nint)zeros, (nint)bound, (nint)total])
            new Span<float>((float*)row, padded).Clear();
        if (GradLast != null)
            new Span<float>(GradLast, count).CopyTo(new Span<float>(carried, count));
        if (Bound != null)
            new Span<float>(Bound, count).CopyTo(new Span<float>(bound, count));
        var whole = count - count % V.Count;
        for (var t = Length - 1; t >= 0; t--)
        {
            var row = t * Stride;
            float* input = Input + row, forget = Forget + row, before = t > 0 ? States + row - Stride : Initial == null ? zeros : Initial;
            float* given = GradStates == null ? zeros : GradStates + row, toInput = Pointers.At(GradInput, row), toForget = Pointers.At(GradForget, row);
            for (var i = 0; i < whole; i += V.Count)
            {
                var gates = new MlgruGates<V>(V.Load(input + i), V.Load(forget + i), V.Load(bound + i));
                gates.Back(V.Load(given + i) + V.Load(carried + i), V.Load(before + i), out var gi, out var gf, out var gb, out var next);
                next.Store(carried + i);
                (V.Load(total + i) + gb).Store(total + i);
                if (toInput != null)
                    gi.Store(toInput + i);
                if (toForget != null)
                    gf.Store(toForget + i);
            }
            if (whole == count)
                continue;
            var rest = count - whole;
            var last = new MlgruGates<V>(V.LoadPartial(input + whole, rest), V.LoadPartial(forget + whole, rest), V.Load(bound + whole));
            last.Back(
                V.LoadPartial(given + whole, rest) + V.Load(carried + whole), V.LoadPartial(before + whole, rest),
                out var lastInput, out var lastForget, out var lastBound, out var lastNext);
            lastNext.Store(carried + whole);
            (V.Load(total + whole) + lastBound).Store(total + whole);
            if (toInput != null)
                lastInput.StorePartial(toInput + whole, rest);
            if (toForget != null)
                lastForget.StorePartial(toForget + whole, rest);
        }
        if (GradInitial != null)
            new Span<float>(carried, count).CopyTo(new Span<float>(GradInitial, count));
        if (GradBound != null)
            new Span<float>(total, count).CopyTo(new Span<float>(GradBound, count));
    }
}
