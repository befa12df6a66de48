using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.Slstm;

/// <summary>The backward of one head for a group of sequences, from the last step to the first. README.md beside this file derives it.</summary>
internal unsafe struct SlstmBackward : ISimdKernel
{
    /// <summary>Gradients of so many rows are kept before they meet the states that made them: a product worth its start.</summary>
    private const int HistoryRows = 64;

    public SlstmSizes Sizes;
    public bool IsEmpty;
    public int Head, First, Rows;
    public float* State, Recurrent;
    public float* Y, FinalState, Kept;
    public float* GradY, GradFinal;         // null: zero
    public float* GradX, GradState;         // null: not wanted
    public float* GradRecurrent, GradBias;  // of this head and group: [4 · padded, padded] and [4 · padded]

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        int dim = Sizes.Dim, padded = Sizes.Padded, rows = Rows, length = Sizes.Length;
        var steps = Math.Max(1, HistoryRows / rows);
        var history = (long)steps * rows;
        var scratch = Scratch.Of(4L * padded * padded + 5L * history * padded + 7L * rows * padded, 9);
        var weights = RecurrentWeights.Backward<V>(Recurrent + 4L * Head * dim * dim, dim, padded, scratch.Take(4L * padded * padded));
        float* grads = scratch.Take(4 * history * padded), states = scratch.Take(history * padded);
        float* gradY = scratch.Take((long)rows * padded), gradC = scratch.Take((long)rows * padded), gradN = scratch.Take((long)rows * padded);
        float* gradM = scratch.Take((long)rows * padded), firstGradM = scratch.Take((long)rows * padded);
        float* c0 = scratch.Take((long)rows * padded), n0 = scratch.Take((long)rows * padded);
        new Span<float>(GradRecurrent, 4 * padded * padded).Clear();
        new Span<float>(GradBias, 4 * padded).Clear();
        new Span<float>(firstGradM, rows * padded).Clear();
        Sizes.LoadState(GradFinal, 0, Head, First, rows, gradY);
        Sizes.LoadState(GradFinal, 1, Head, First, rows, gradC);
        Sizes.LoadState(GradFinal, 2, Head, First, rows, gradN);
        Sizes.LoadState(State, 1, Head, First, rows, c0);
        Sizes.LoadState(State, 2, Head, First, rows, n0);
        MaximumGrad(gradM);
        var kept = 0;       // steps in the history
        for (var t = length - 1; t >= 0; t--)
        {
            var now = grads + 4L * kept * rows * padded;
            for (var row = 0; row < rows; row++)
            {
                var offset = (long)row * padded;
                var place = ((long)(First + row) * Sizes.Heads + Head) * length + t;
                var own = Kept + place * SlstmSizes.Kept * padded;
                var before = t > 0 ? own - SlstmSizes.Kept * padded : null;
                Step<V>(own, before == null ? c0 + offset : before + 5 * padded, before == null ? n0 + offset : before + 6 * padded,
                    GradY == null ? null : GradY + place * dim, gradY + offset, gradC + offset, gradN + offset, gradM + offset,
                    now + 4 * offset, t == 0 ? firstGradM + offset : null);
                if (GradX != null)
                {
                    var x = GradX + ((long)(First + row) * length + t) * Sizes.InputStride + (long)Head * dim;
                    for (var gate = 0; gate < 4; gate++)
                        new Span<float>(now + 4 * offset + gate * padded, dim).CopyTo(new Span<float>(x + (long)gate * Sizes.Heads * dim, dim));
                }
                var state = t > 0 ? Y + (place - 1) * dim : State == null ? null : State + ((long)(First + row) * Sizes.Heads + Head) * dim;
                Matrix.Rows.Load(state, 1, dim, states + ((long)kept * rows + row) * padded, padded);
            }
            weights.Apply<V>(rows, now, 4 * padded, gradY);
            kept++;
            if (kept == steps || t == 0)
            {
                TileProduct.Run<V>(4 * padded, padded, kept * rows, grads, 1, 4 * padded, states, padded, GradRecurrent, padded, add: true);
                kept = 0;
            }
        }
        if (GradState == null)
            return;
        Sizes.StoreState(gradY, 0, Head, First, rows, GradState);
        Sizes.StoreState(gradC, 1, Head, First, rows, GradState);
        Sizes.StoreState(gradN, 2, Head, First, rows, GradState);
        for (var i = 0; i < rows * padded; i++)
            gradM[i] += length > 0 ? firstGradM[i] : gradC[i] * c0[i] + gradN[i] * n0[i];
        Sizes.StoreState(gradM, 3, Head, First, rows, GradState);
    }

    /// <summary>The final m's own gradient, beside the scale that c and n have with it.</summary>
    private readonly void MaximumGrad(float* target)
    {
        new Span<float>(target, Rows * Sizes.Padded).Clear();
        if (GradFinal == null)
            return;
        var plane = Sizes.StatePart;
        for (var row = 0; row < Rows; row++)
        {
            var place = ((long)(First + row) * Sizes.Heads + Head) * Sizes.Dim;
            for (var e = 0; e < Sizes.Dim; e++, place++)
            {
                target[row * Sizes.Padded + e] = GradFinal[3 * plane + place]
                    - GradFinal[plane + place] * FinalState[plane + place] - GradFinal[2 * plane + place] * FinalState[2 * plane + place];
            }
        }
    }

    /// <summary>One step of one sequence: gradients of the four pre-activations, and of the state before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Step<V>(
        float* kept, float* cBefore, float* nBefore, float* given, float* gradY, float* gradC, float* gradN, float* gradM, float* target, float* firstGradM)
        where V : struct, ILanes<V>
    {
        int dim = Sizes.Dim, padded = Sizes.Padded;
        var one = V.Create(1);
        var bias = GradBias;
        var isEmpty = IsEmpty && firstGradM != null;
        for (var e = 0; e < padded; e += V.Count)
        {
            V inputWeight = V.Load(kept + e), forgetWeight = V.Load(kept + padded + e), z = V.Load(kept + 2 * padded + e), o = V.Load(kept + 3 * padded + e);
            V notForgotten = V.Load(kept + 4 * padded + e), c = V.Load(kept + 5 * padded + e), n = V.Load(kept + 6 * padded + e);
            var gy = V.Load(gradY + e);
            if (given != null)
                gy += e + V.Count <= dim ? V.Load(given + e) : V.LoadPartial(given + e, dim - e);
            var inverse = V.WhereGreater(V.Abs(n), V.Zero, one / n, V.Zero);
            var ratio = c * inverse;                                        // y / o
            var gradO = gy * ratio * o * (one - o);
            var shared = gy * o * inverse;
            var gc = V.Load(gradC + e) + shared;
            var gn = V.Load(gradN + e) - shared * ratio;
            var gradZ = gc * inputWeight * (one - z * z);
            var gradInput = V.MultiplyAdd(gc, z, gn) * inputWeight;
            var gradForget = V.MultiplyAdd(gc, V.Load(cBefore + e), gn * V.Load(nBefore + e)) * forgetWeight;
            (gc * forgetWeight).Store(gradC + e);
            (gn * forgetWeight).Store(gradN + e);
            if (isEmpty)
                gradForget = V.WhereGreater(one, forgetWeight, gradForget, V.Zero);     // f' was cut off at 1
            if (firstGradM != null)
                gradForget.Store(firstGradM + e);
            // m's own gradient goes where the maximum came from: the input gate where i' is 1.
            var maximum = V.Load(gradM + e);
            var toForget = V.WhereGreater(one, inputWeight, maximum, V.Zero);
            gradInput += maximum - toForget;
            gradForget = (gradForget + toForget) * notForgotten;
            toForget.Store(gradM + e);
            gradInput.Store(target + e);
            gradForget.Store(target + padded + e);
            gradZ.Store(target + 2 * padded + e);
            gradO.Store(target + 3 * padded + e);
            (V.Load(bias + e) + gradInput).Store(bias + e);
            (V.Load(bias + padded + e) + gradForget).Store(bias + padded + e);
            (V.Load(bias + 2 * padded + e) + gradZ).Store(bias + 2 * padded + e);
            (V.Load(bias + 3 * padded + e) + gradO).Store(bias + 3 * padded + e);
        }
    }
}
