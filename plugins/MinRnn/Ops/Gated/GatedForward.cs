using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>The forward of some dimensions of one sequence: each step's inputs are read once, and what comes out is written once.</summary>
/// <typeparam name="TCell">The step.</typeparam>
internal unsafe struct GatedForward<TCell> : ISimdKernel
    where TCell : struct, IGatedCell
{
    public int Length, Count;
    public long Stride;                    // from one time step to the next
    public float* X, First, Second;        // Second: null without a second gate
    public float* OutputGate;              // null without one
    public float* Initial;                 // null: zero
    public float* States;                  // null: not kept
    public float* Outputs;                 // null without an output gate
    public float* Last;                    // null: not wanted

    /// <summary>Of the whole tensors' work, that of some dimensions of one sequence.</summary>
    public readonly GatedForward<TCell> Piece(long batch, int first, int count)
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
            States = Pointers.At(States, start),
            Outputs = Pointers.At(Outputs, start),
            Last = Pointers.At(Last, state),
        };
    }

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var count = Count;
        var state = stackalloc float[count + V.Count];         // whole vectors
        new Span<float>(state, count + V.Count).Clear();
        if (Initial != null)
            new Span<float>(Initial, count).CopyTo(new Span<float>(state, count));
        var whole = count - count % V.Count;
        for (var t = 0; t < Length; t++)
        {
            var row = t * Stride;
            var outputs = TCell.HasOutputGate ? Outputs + row : Pointers.At(States, row);
            var kept = TCell.HasOutputGate ? Pointers.At(States, row) : null;
            Row<V>(X + row, First + row, Pointers.At(Second, row), Pointers.At(OutputGate, row), state, outputs, kept, whole);
            if (whole < count)
                Rest<V>(row, state, outputs, kept, whole);
        }
        if (Last != null)
            new Span<float>(state, count).CopyTo(new Span<float>(Last, count));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row<V>(float* x, float* first, float* second, float* gate, float* state, float* outputs, float* kept, int count)
        where V : struct, ILanes<V>
    {
        for (var i = 0; i < count; i += V.Count)
        {
            var next = TCell.Next(V.Load(x + i), V.Load(first + i), TCell.HasSecondGate ? V.Load(second + i) : V.Zero, V.Load(state + i));
            next.Store(state + i);
            if (TCell.HasOutputGate)
            {
                (VectorMath.Sigmoid(V.Load(gate + i)) * next).Store(outputs + i);
                if (kept != null)
                    next.Store(kept + i);
            }
            else
            {
                next.Store(outputs + i);
            }
        }
    }

    /// <summary>The dimensions from <paramref name="from"/> on, fewer than a vector holds.</summary>
    private readonly void Rest<V>(long row, float* state, float* outputs, float* kept, int from)
        where V : struct, ILanes<V>
    {
        var (at, count) = (row + from, Count - from);
        var second = TCell.HasSecondGate ? V.LoadPartial(Second + at, count) : V.Zero;
        var next = TCell.Next(V.LoadPartial(X + at, count), V.LoadPartial(First + at, count), second, V.Load(state + from));
        next.Store(state + from);
        if (TCell.HasOutputGate)
        {
            (VectorMath.Sigmoid(V.LoadPartial(OutputGate + at, count)) * next).StorePartial(outputs + from, count);
            if (kept != null)
                next.StorePartial(kept + from, count);
        }
        else
        {
            next.StorePartial(outputs + from, count);
        }
    }
}
