using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.MlstmInputs;

/// <summary>The backward of one sequence. Gradients of weights are this sequence's part: three matrices as diagonals, the gates', and biases.</summary>
internal unsafe struct MlstmInputsBackward : ISimdKernel
{
    public MlstmInputsSizes Sizes;
    public int Sequence;
    public float* X, Conv, InputWeight, ForgetWeight;
    public float* Q, K, V;
    public float* QueryBands, KeyBands, ValueBands;             // of the transposed matrices
    public float* GradQ, GradK, GradV, GradI, GradF;            // null: zero
    public float* GradX, GradConv;                              // null: not wanted
    public float* Part;

    /// <summary>Floats of a sequence's part: [3 matrices, bands, padded], [2, heads, 3 · width], [2, heads], [3, padded].</summary>
    public static long PartSize(MlstmInputsSizes sizes) =>
        3L * sizes.BandSize + 6L * sizes.Heads * sizes.Width + Even(2 * sizes.Heads) + 3L * sizes.Padded;

    /// <summary>Where the gates' weights stand in a part.</summary>
    public static long GateWeights(MlstmInputsSizes sizes) => 3L * sizes.BandSize + 3L * sizes.Padded;

    /// <summary>Where the gates' biases stand in a part.</summary>
    public static long GateBiases(MlstmInputsSizes sizes) => GateWeights(sizes) + 6L * sizes.Heads * sizes.Width;

    /// <summary>Where the biases of q, k and v stand in a part.</summary>
    public static long Biases(MlstmInputsSizes sizes) => 3L * sizes.BandSize;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<W>()
        where W : struct, ILanes<W>
    {
        int width = Sizes.Width, padded = Sizes.Padded, heads = Sizes.Heads, length = Sizes.Length;
        new Span<float>(Part, checked((int)PartSize(Sizes))).Clear();
        var scratch = Scratch.Of(5L * Sizes.RowSize + 3L * padded, 9);
        float* convRow = Row(scratch), plainRow = Row(scratch), gradQ = Row(scratch), gradK = Row(scratch), gradV = Row(scratch);
        float* conv = scratch.Take(padded), plain = scratch.Take(padded);
        var gates = stackalloc float[2 * heads];
        for (var t = 0; t < length; t++)
        {
            for (var h = 0; h < heads; h++)
            {
                var place = ((long)Sequence * heads + h) * length + t;
                gates[h] = GradI == null ? 0 : GradI[place];
                gates[heads + h] = GradF == null ? 0 : GradF[place];
                Part[GateBiases(Sizes) + h] += gates[h];
                Part[GateBiases(Sizes) + heads + h] += gates[heads + h];
            }
            var step = ((long)Sequence * length + t) * width;
            new Span<float>(Conv + step, width).CopyTo(new Span<float>(convRow, width));
            new Span<float>(X + step, width).CopyTo(new Span<float>(plainRow, width));
            Gather<W>(GradQ, Q, gates, 0, t, gradQ);
            Gather<W>(GradK, K, gates, 1, t, gradK);
            Gather<W>(GradV, V, gates, 2, t, gradV);
            Bands.AddOuter<W>(Sizes, gradQ, convRow, Part);
            Bands.AddOuter<W>(Sizes, gradK, convRow, Part + Sizes.BandSize);
            Bands.AddOuter<W>(Sizes, gradV, plainRow, Part + 2 * Sizes.BandSize);
            if (GradConv != null)
            {
                Bands.Apply<W>(Sizes, QueryBands, gradQ, null, conv);
                Bands.Apply<W>(Sizes, KeyBands, gradK, conv, conv);
                new Span<float>(conv, width).CopyTo(new Span<float>(GradConv + step, width));
            }
            if (GradX != null)
            {
                Bands.Apply<W>(Sizes, ValueBands, gradV, null, plain);
                new Span<float>(plain, width).CopyTo(new Span<float>(GradX + step, width));
            }
        }
    }

    private readonly float* Row(Scratch scratch)
    {
        var row = scratch.Take(Sizes.RowSize);
        new Span<float>(row, Sizes.RowSize).Clear();
        return row + Sizes.RowStart;
    }

    /// <summary>The gradient of q, k or v of a step: its own, and what comes through the gates, whose weights get theirs; the bias's is their sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Gather<W>(float* given, float* made, float* gates, int part, int t, float* grad)
        where W : struct, ILanes<W>
    {
        int width = Sizes.Width, dim = Sizes.HeadDim, heads = Sizes.Heads;
        float* gateParts = Part + GateWeights(Sizes), bias = Part + Biases(Sizes) + part * Sizes.Padded;
        for (var own = 0; own < heads; own++)
        {
            var place = (((long)Sequence * heads + own) * Sizes.Length + t) * dim;
            var target = grad + own * dim;
            if (given == null)
                new Span<float>(target, dim).Clear();
            else
                new Span<float>(given + place, dim).CopyTo(new Span<float>(target, dim));
            for (var h = 0; h < heads; h++)
            {
                var weights = (long)h * 3 * width + part * width + own * dim;
                Through<W>(target, made + place, dim, gates[h], InputWeight + weights, gateParts + weights,
                    gates[heads + h], ForgetWeight + weights, gateParts + 3L * heads * width + weights);
            }
            Matrix.Rows.AddScaled<W>(bias + own * dim, 1, target, dim);
        }
    }

    /// <summary>One head's two gates: their weights' gradients, and what they give to the gradient of q, k or v.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Through<W>(
        float* target, float* made, int dim, float input, float* inputWeight, float* gradInputWeight, float forget, float* forgetWeight, float* gradForgetWeight)
        where W : struct, ILanes<W>
    {
        W wideInput = W.Create(input), wideForget = W.Create(forget);
        var e = 0;
        for (; e + W.Count <= dim; e += W.Count)
        {
            var value = W.Load(made + e);
            var sum = W.MultiplyAdd(wideInput, W.Load(inputWeight + e), W.Load(target + e));
            W.MultiplyAdd(wideForget, W.Load(forgetWeight + e), sum).Store(target + e);
            W.MultiplyAdd(wideInput, value, W.Load(gradInputWeight + e)).Store(gradInputWeight + e);
            W.MultiplyAdd(wideForget, value, W.Load(gradForgetWeight + e)).Store(gradForgetWeight + e);
        }
        for (; e < dim; e++)
        {
            target[e] += input * inputWeight[e] + forget * forgetWeight[e];
            gradInputWeight[e] += input * made[e];
            gradForgetWeight[e] += forget * made[e];
        }
    }

    private static long Even(int count) => (count + 15) / 16 * 16;
}
