using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>
/// The backward of some dimensions of one sequence, from the last step to the first; gates are reckoned again from the inputs, which costs
/// less than to keep them. Gradients that are not wanted are null.
/// </summary>
/// <typeparam name="TCell">The step.</typeparam>
internal unsafe struct GatedBackward<TCell> : ISimdKernel
    where TCell : struct, IGatedCell
{
    public int Length, Count;
    public long Stride;                    // from one time step to the next
    public float* X, First, Second;        // Second: null without a second gate
    public float* OutputGate;              // null without one
    public float* Initial;                 // null: zero
    public float* States;
    public float* GradOutputs, GradLast;   // null: zero
    public float* GradX, GradFirst, GradSecond, GradOutputGate, GradInitial;

    /// <summary>Of the whole tensors' work, that of some dimensions of one sequence.</summary>
    public readonly GatedBackward<TCell> Piece(long batch, int first, int count)
    {
        var start = batch * Length * Stride + first;
        var state = batch * Stride + first;
        return this with
        {
            Count = count,
            X = X + start,
            First = First + start,
            Second = Pointers.At(Second, start),
            OutputGate = Pointers.At(OutputGate, start),
            Initial = Pointers.At(Initial, state),
            States = States + start,
            GradOutputs = Pointers.At(GradOutputs, start),
            GradLast = Pointers.At(GradLast, state),
            GradX = Pointers.At(GradX, start),
            GradFirst = Pointers.At(GradFirst, start),
            GradSecond = Pointers.At(GradSecond, start),
            GradOutputGate = Pointers.At(GradOutputGate, start),
            GradInitial = Pointers.At(GradInitial, state),
        };
    }

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var count = Count;
        var padded = count + V.Count;                          // whole vectors
        var carried = stackalloc float[padded];                // the gradient that reaches a step's state from the steps after it
        var zeros = stackalloc float[padded];
        new Span<float>(carried, padded).Clear();
        new Span<float>(zeros, padded).Clear();
        if (GradLast != null)
            new Span<float>(GradLast, count).CopyTo(new Span<float>(carried, count));
        var whole = count - count % V.Count;
        for (var t = Length - 1; t >= 0; t--)
        {
            var row = t * Stride;
            var before = t > 0 ? States + row - Stride : Initial == null ? zeros : Initial;
            var grad = GradOutputs == null ? zeros : GradOutputs + row;
            // From the last dimension to the first, too: memory is then walked backwards without a break, which the hardware foresees.
            if (whole < count)
                Rest<V>(row, before, grad, carried, whole);
            if (GradX != null && GradFirst != null && (GradSecond != null || !TCell.HasSecondGate) && (GradOutputGate != null || !TCell.HasOutputGate))
                Row<V>(row, before, grad, carried, whole);
            else
                RowOfSome<V>(row, before, grad, carried, whole);
        }
        if (GradInitial != null)
            new Span<float>(carried, count).CopyTo(new Span<float>(GradInitial, count));
    }

    /// <summary>With every gradient wanted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Row<V>(long row, float* before, float* grad, float* carried, int count)
        where V : struct, ILanes<V>
    {
        float* x = X + row, first = First + row, gradX = GradX + row, gradFirst = GradFirst + row;
        float* second = Second + row, gradSecond = GradSecond + row;       // not looked at without a second gate
        float* gate = OutputGate + row, states = States + row, gradGate = GradOutputGate + row;
        for (var i = count - V.Count; i >= 0; i -= V.Count)
        {
            var g = V.Load(grad + i);
            if (TCell.HasOutputGate)
            {
                OutputGateGradient(V.Load(gate + i), V.Load(states + i), ref g, out var go);
                go.Store(gradGate + i);
            }
            g += V.Load(carried + i);
            TCell.Back(V.Load(x + i), V.Load(first + i), TCell.HasSecondGate ? V.Load(second + i) : V.Zero, V.Load(before + i), g,
                out var next, out var gx, out var gf, out var gs);
            next.Store(carried + i);
            gx.Store(gradX + i);
            gf.Store(gradFirst + i);
            if (TCell.HasSecondGate)
                gs.Store(gradSecond + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void RowOfSome<V>(long row, float* before, float* grad, float* carried, int count)
        where V : struct, ILanes<V>
    {
        for (var i = count - V.Count; i >= 0; i -= V.Count)
        {
            var at = row + i;
            var g = V.Load(grad + i);
            if (TCell.HasOutputGate)
            {
                OutputGateGradient(V.Load(OutputGate + at), V.Load(States + at), ref g, out var go);
                if (GradOutputGate != null)
                    go.Store(GradOutputGate + at);
            }
            g += V.Load(carried + i);
            TCell.Back(V.Load(X + at), V.Load(First + at), TCell.HasSecondGate ? V.Load(Second + at) : V.Zero, V.Load(before + i), g,
                out var next, out var gx, out var gf, out var gs);
            next.Store(carried + i);
            if (GradX != null)
                gx.Store(GradX + at);
            if (GradFirst != null)
                gf.Store(GradFirst + at);
            if (GradSecond != null)
                gs.Store(GradSecond + at);
        }
    }

    /// <summary>The dimensions from <paramref name="from"/> on, fewer than a vector holds.</summary>
    private readonly void Rest<V>(long row, float* before, float* grad, float* carried, int from)
        where V : struct, ILanes<V>
    {
        var (at, count) = (row + from, Count - from);
        var g = V.LoadPartial(grad + from, count);
        if (TCell.HasOutputGate)
        {
            OutputGateGradient(V.LoadPartial(OutputGate + at, count), V.LoadPartial(States + at, count), ref g, out var go);
            if (GradOutputGate != null)
                go.StorePartial(GradOutputGate + at, count);
        }
        g += V.Load(carried + from);
        var second = TCell.HasSecondGate ? V.LoadPartial(Second + at, count) : V.Zero;
        TCell.Back(V.LoadPartial(X + at, count), V.LoadPartial(First + at, count), second, V.LoadPartial(before + from, count), g,
            out var next, out var gx, out var gf, out var gs);
        next.Store(carried + from);
        if (GradX != null)
            gx.StorePartial(GradX + at, count);
        if (GradFirst != null)
            gf.StorePartial(GradFirst + at, count);
        if (GradSecond != null)
            gs.StorePartial(GradSecond + at, count);
    }

    /// <summary>From the gradient of the output to those of the state and of the output gate.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OutputGateGradient<V>(V gate, V state, ref V g, out V gradGate)
        where V : struct, ILanes<V>
    {
        Gates.Sigmoid(gate, out var open, out var closed);
        var go = g * open;
        gradGate = go * closed * state;
        g = go;
    }
}
