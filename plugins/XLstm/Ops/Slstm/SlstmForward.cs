using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.Slstm;

/// <summary>The forward of one head for a group of sequences: the whole time loop.</summary>
internal unsafe struct SlstmForward : ISimdKernel
{
    public SlstmSizes Sizes;
    public bool IsEmpty;                    // every n of the initial state is 0
    public int Head, First, Rows;           // which head, the first sequence and how many
    public float* X, State, Recurrent, Bias;        // State null: empty
    public float* Y, FinalState;
    public float* Kept;                     // for backward, or null

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        int dim = Sizes.Dim, padded = Sizes.Padded, rows = Rows;
        var scratch = Scratch.Of(4L * dim * padded + 4L * padded + 8L * rows * padded, 7);
        var weights = RecurrentWeights.Forward<V>(Recurrent + 4L * Head * dim * dim, dim, padded, scratch.Take(4L * dim * padded));
        float* sums = scratch.Take(4L * rows * padded), bias = scratch.Take(4L * padded);
        float* y = scratch.Take((long)rows * padded), c = scratch.Take((long)rows * padded);
        float* n = scratch.Take((long)rows * padded), m = scratch.Take((long)rows * padded);
        for (var gate = 0; gate < 4; gate++)
            Matrix.Rows.Load(Bias + ((long)gate * Sizes.Heads + Head) * dim, 1, dim, bias + gate * padded, padded);
        Sizes.LoadState(State, 0, Head, First, rows, y);
        Sizes.LoadState(State, 1, Head, First, rows, c);
        Sizes.LoadState(State, 2, Head, First, rows, n);
        Sizes.LoadState(State, 3, Head, First, rows, m);
        for (var t = 0; t < Sizes.Length; t++)
        {
            weights.Apply<V>(rows, y, padded, sums);
            for (var row = 0; row < rows; row++)
            {
                var offset = (long)row * padded;
                var x = X + ((long)(First + row) * Sizes.Length + t) * Sizes.InputStride + (long)Head * dim;
                var place = ((long)(First + row) * Sizes.Heads + Head) * Sizes.Length + t;
                Step<V>(x, bias, sums + 4 * offset, y + offset, c + offset, n + offset, m + offset, Y + place * dim,
                    Kept == null ? null : Kept + place * SlstmSizes.Kept * padded, IsEmpty && t == 0);
            }
        }
        Sizes.StoreState(y, 0, Head, First, rows, FinalState);
        Sizes.StoreState(c, 1, Head, First, rows, FinalState);
        Sizes.StoreState(n, 2, Head, First, rows, FinalState);
        Sizes.StoreState(m, 3, Head, First, rows, FinalState);
    }

    /// <summary>One step of one sequence, after the recurrent product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Step<V>(
        float* x, float* bias, float* sums, float* y, float* c, float* n, float* m, float* output, float* kept, bool isFirst)
        where V : struct, ILanes<V>
    {
        int dim = Sizes.Dim, padded = Sizes.Padded;
        var gateStride = (long)Sizes.Heads * dim;
        for (var e = 0; e < padded; e += V.Count)
        {
            var count = Math.Min(V.Count, dim - e);
            var input = Sum<V>(x + e, bias + e, sums + e, count);
            var forget = Sum<V>(x + gateStride + e, bias + padded + e, sums + padded + e, count);
            var z = VectorMath.Tanh(Sum<V>(x + 2 * gateStride + e, bias + 2 * padded + e, sums + 2 * padded + e, count));
            var o = VectorMath.Sigmoid(Sum<V>(x + 3 * gateStride + e, bias + 3 * padded + e, sums + 3 * padded + e, count));

            // log σ(f) and σ(-f) share one exponential; i' and f' share another, because one of the two is 1.
            var small = VectorMath.Exp(-V.Abs(forget));
            var forgotten = V.Load(m + e) + V.Min(forget, V.Zero) - VectorMath.Log1P(small);
            var apart = input - forgotten;
            var lesser = VectorMath.Exp(-V.Abs(apart));
            var one = V.Create(1);
            V newM, inputWeight, forgetWeight;
            if (isFirst)
            {
                // Nothing to compare with: m is the input gate's, and f' is cut off at 1.
                newM = input;
                inputWeight = one;
                forgetWeight = V.WhereGreater(apart, V.Zero, lesser, one);
            }
            else
            {
                newM = V.Max(input, forgotten);
                inputWeight = V.WhereGreater(V.Zero, apart, lesser, one);
                forgetWeight = V.WhereGreater(apart, V.Zero, lesser, one);
            }
            var newC = V.MultiplyAdd(forgetWeight, V.Load(c + e), inputWeight * z);
            var newN = V.MultiplyAdd(forgetWeight, V.Load(n + e), inputWeight);
            var newY = V.WhereGreater(V.Abs(newN), V.Zero, o * newC / newN, V.Zero);
            newC.Store(c + e);
            newN.Store(n + e);
            newM.Store(m + e);
            newY.Store(y + e);
            if (count == V.Count)
                newY.Store(output + e);
            else
                newY.StorePartial(output + e, count);
            if (kept == null)
                continue;
            inputWeight.Store(kept + e);
            forgetWeight.Store(kept + padded + e);
            z.Store(kept + 2 * padded + e);
            o.Store(kept + 3 * padded + e);
            (V.WhereGreater(forget, V.Zero, small, one) / (one + small)).Store(kept + 4 * padded + e);
            newC.Store(kept + 5 * padded + e);
            newN.Store(kept + 6 * padded + e);
        }
    }

    /// <summary>A vector of a gate's pre-activation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Sum<V>(float* x, float* bias, float* sums, int count)
        where V : struct, ILanes<V> => V.Load(sums) + V.Load(bias) + (count == V.Count ? V.Load(x) : V.LoadPartial(x, count));
}
