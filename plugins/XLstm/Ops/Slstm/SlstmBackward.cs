using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.Slstm;

/// <summary>The backward of one head for a group of sequences, from the last step to the first. README.md beside this file derives it.</summary>
internal unsafe struct SlstmBackward : ISimdKernel
{
    /// <summary>Gradients of so many rows are kept before they meet the states that made them: a product worth its start.</summary>
    private const int HistoryRows = 64;

    private const int StepsAhead = 2;

    public SlstmSizes Sizes;
    public bool IsEmpty;
    public int Head, First, Rows;
    public float* State, Recurrent;
    public float* Y, FinalState, Kept;
    public float* GradY, GradFinal;         // null: zero
    public float* GradX, GradState;         // null: not wanted
    public float* GradRecurrent, GradBias;  // of this head and group: [4, padded, padded] and [4, padded]

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        int dim = Sizes.Dim, padded = Sizes.Padded, rows = Rows, size = rows * padded, length = Sizes.Length;
        var steps = Math.Max(1, HistoryRows / rows);
        var history = steps * size;         // of one gate
        var scratch = ThreadScratch.Of(4L * padded * padded + 5L * history + 7L * size, 9);
        var weights = RecurrentWeights.Backward<V>(Recurrent + 4L * Head * dim * dim, dim, padded, scratch.Take(4L * padded * padded));
        float* grads = scratch.Take(4L * history), states = scratch.Take(history);
        float* gradY = scratch.Take(size), gradC = scratch.Take(size), gradN = scratch.Take(size), gradM = scratch.Take(size);
        float* firstGradM = scratch.Take(size), c0 = scratch.Take(size), n0 = scratch.Take(size);
        new Span<float>(states, history).Clear();         // what lies behind a row's width stays zero
        new Span<float>(GradRecurrent, 4 * padded * padded).Clear();
        new Span<float>(GradBias, 4 * padded).Clear();
        Sizes.LoadState(GradFinal, 0, Head, First, rows, gradY);
        Sizes.LoadState(GradFinal, 1, Head, First, rows, gradC);
        Sizes.LoadState(GradFinal, 2, Head, First, rows, gradN);
        Sizes.LoadState(State, 1, Head, First, rows, c0);
        Sizes.LoadState(State, 2, Head, First, rows, n0);
        MaximumGrad(gradM);
        for (var i = 0; i < size; i++)
            firstGradM[i] = gradC[i] * c0[i] + gradN[i] * n0[i];        // where there is no time
        var kept = 0;       // steps in the history
        for (var t = length - 1; t >= 0; t--)
        {
            var now = grads + (long)kept * size;
            var block = Kept + Sizes.Block(Head, First, rows, t);
            var before = t > 0 ? Kept + Sizes.Block(Head, First, rows, t - 1) : null;
            AskBefore(t);
            if (GradY != null)
                AddGiven<V>(gradY, t);
            Step<V>(block, before == null ? c0 : before + 5 * size, before == null ? n0 : before + 6 * size,
                gradY, gradC, gradN, gradM, now, history, size, t == 0 ? firstGradM : null);
            for (var gate = 0; gate < 4; gate++)
            {
                weights.Apply<V>(gate, rows, now + (long)gate * history, gradY, add: gate > 0);
                Keep<V>(now + (long)gate * history, t, gate);
            }
            for (var row = 0; row < rows; row++)
            {
                var sequence = (long)(First + row) * Sizes.Heads + Head;
                var state = t > 0 ? Y + (sequence * length + t - 1) * dim : State == null ? null : State + sequence * dim;
                var target = states + ((long)kept * rows + row) * padded;
                if (state == null)
                    new Span<float>(target, dim).Clear();
                else
                    Matrix.Rows.Copy<V>(state, target, dim);
            }
            kept++;
            if (kept < steps && t > 0)
                continue;
            for (var gate = 0; gate < 4; gate++)
            {
                TileProduct.Run<V>(padded, padded, kept * rows, grads + (long)gate * history, 1, padded, states, padded,
                    GradRecurrent + (long)gate * padded * padded, padded, add: true);
            }
            kept = 0;
        }
        if (GradState == null)
            return;
        for (var i = 0; i < size; i++)
            gradM[i] += firstGradM[i];
        Sizes.StoreState(gradY, 0, Head, First, rows, GradState);
        Sizes.StoreState(gradC, 1, Head, First, rows, GradState);
        Sizes.StoreState(gradN, 2, Head, First, rows, GradState);
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void AddGiven<V>(float* gradY, int t)
        where V : struct, ILanes<V>
    {
        int dim = Sizes.Dim, padded = Sizes.Padded;
        for (var row = 0; row < Rows; row++, gradY += padded)
        {
            var given = GradY + (((long)(First + row) * Sizes.Heads + Head) * Sizes.Length + t) * dim;
            var e = 0;
            for (; e + V.Count <= dim; e += V.Count)
                (V.Load(gradY + e) + V.Load(given + e)).Store(gradY + e);
            for (; e < dim; e++)
                gradY[e] += given[e];
        }
    }

    /// <summary>Adds a gate's gradients to the bias's, and stores them as those of x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Keep<V>(float* grads, int t, int gate)
        where V : struct, ILanes<V>
    {
        int dim = Sizes.Dim, padded = Sizes.Padded, rows = Rows;
        var bias = GradBias + gate * padded;
        var apart = Sizes.Length * Sizes.InputStride;       // from a sequence to the next
        var x = GradX == null ? null : GradX + ((long)First * Sizes.Length + t) * Sizes.InputStride + ((long)gate * Sizes.Heads + Head) * dim;
        for (var e = 0; e < padded; e += V.Count)
        {
            var sum = V.Load(bias + e);
            for (var row = 0; row < rows; row++)
            {
                var grad = V.Load(grads + row * padded + e);
                sum += grad;
                if (x == null)
                    continue;
                if (e + V.Count <= dim)
                    grad.Store(x + row * apart + e);
                else
                    grad.StorePartial(x + row * apart + e, dim - e);
            }
            sum.Store(bias + e);
        }
        for (var row = 0; row < rows && x != null && t >= StepsAhead; row++)
            Prefetch.Row(x + row * apart - StepsAhead * Sizes.InputStride, dim);
    }

    /// <summary>Asks for what the step two before this one reads: memory is walked backwards in stretches, which the hardware does not foresee.</summary>
    private readonly void AskBefore(int t)
    {
        t -= StepsAhead;
        if (t < 0)
            return;
        Prefetch.Stretch(Kept + Sizes.Block(Head, First, Rows, t), SlstmSizes.Kept * Rows * Sizes.Padded);
        for (var row = 0; row < Rows; row++)
        {
            var place = (((long)(First + row) * Sizes.Heads + Head) * Sizes.Length + t) * Sizes.Dim;
            if (GradY != null)
                Prefetch.Row(GradY + place, Sizes.Dim);
            if (t > 0)
                Prefetch.Row(Y + place - Sizes.Dim, Sizes.Dim);
        }
    }

    /// <summary>One step: gradients of the four pre-activations, <paramref name="apart"/> from each other, and of the state before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Step<V>(
        float* block, float* cBefore, float* nBefore, float* gradY, float* gradC, float* gradN, float* gradM, float* target, long apart, int size, float* firstGradM)
        where V : struct, ILanes<V>
    {
        var one = V.Create(1);
        var isEmpty = IsEmpty && firstGradM != null;
        for (var i = 0; i < size; i += V.Count)
        {
            V inputWeight = V.Load(block + i), forgetWeight = V.Load(block + size + i), z = V.Load(block + 2 * size + i), o = V.Load(block + 3 * size + i);
            V c = V.Load(block + 5 * size + i), n = V.Load(block + 6 * size + i), gy = V.Load(gradY + i);
            var inverse = V.WhereGreater(V.Abs(n), V.Zero, one / n, V.Zero);
            var ratio = c * inverse;                                        // y / o
            var shared = gy * o * inverse;
            var gc = V.Load(gradC + i) + shared;
            var gn = V.Load(gradN + i) - shared * ratio;
            (gy * ratio * o * (one - o)).Store(target + 3 * apart + i);
            (gc * inputWeight * (one - z * z)).Store(target + 2 * apart + i);
            var gradInput = V.MultiplyAdd(gc, z, gn) * inputWeight;
            var gradForget = V.MultiplyAdd(gc, V.Load(cBefore + i), gn * V.Load(nBefore + i)) * forgetWeight;
            (gc * forgetWeight).Store(gradC + i);
            (gn * forgetWeight).Store(gradN + i);
            if (isEmpty)
            {
                // Where f' was cut off at 1, it takes nothing from log σ(f) and m, and nothing from i either, which is the next m.
                var passed = V.WhereGreater(one, forgetWeight, gradForget, V.Zero);
                gradInput += gradForget - passed;
                gradForget = passed;
            }
            if (firstGradM != null)
                gradForget.Store(firstGradM + i);
            // m's own gradient goes where the maximum came from: the input gate where i' is 1.
            var maximum = V.Load(gradM + i);
            var toForget = V.WhereGreater(one, inputWeight, maximum, V.Zero);
            toForget.Store(gradM + i);
            (gradInput + maximum - toForget).Store(target + i);
            ((gradForget + toForget) * V.Load(block + 4 * size + i)).Store(target + apart + i);
        }
    }
}
