using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.MlstmInputs;

/// <summary>
/// The backward of one sequence, some steps at a time. Gradients of weights are this sequence's part: three matrices as diagonals, their biases, the gates' and
/// theirs.
/// </summary>
internal unsafe partial struct MlstmInputsBackward : ISimdKernel
{
    public MlstmInputsSizes Sizes;
    public int Sequence;
    public float* X, Conv;
    public float* GateWeights;                                  // [gate, 3 · padded]
    public float* Q, K, V;
    public float* QueryBands, KeyBands, ValueBands;             // of the transposed matrices; of blocks of four, their rows
    public float* GradQ, GradK, GradV, GradI, GradF;            // null: zero
    public float* GradX, GradConv;                              // null: not wanted
    public float* Part;

    /// <summary>Floats of a sequence's part: [3 matrices, bands, padded], [3, padded], [gate, 3 · padded], [gate].</summary>
    public static long PartSize(MlstmInputsSizes sizes) => BiasesOfGates(sizes) + (sizes.Gates + 15) / 16 * 16;

    /// <summary>Where the biases of q, k and v stand in a part.</summary>
    public static long Biases(MlstmInputsSizes sizes) => 3L * sizes.BandSize;

    /// <summary>Where the gates' weights stand in a part.</summary>
    public static long WeightsOfGates(MlstmInputsSizes sizes) => Biases(sizes) + 3L * sizes.Padded;

    /// <summary>Where the gates' biases stand in a part.</summary>
    public static long BiasesOfGates(MlstmInputsSizes sizes) => WeightsOfGates(sizes) + 3L * sizes.Gates * sizes.Padded;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<W>()
        where W : struct, ILanes<W>
    {
        new Span<float>(Part, checked((int)PartSize(Sizes))).Clear();
        if (Sizes.AreFours)
        {
            RunFours<W>();
            return;
        }
        int width = Sizes.Width, padded = Sizes.Padded, length = Sizes.Length, most = Math.Min(MlstmInputsSizes.Steps, length);
        var scratch = ThreadScratch.Of(3L * most * Sizes.RowSize + 2L * most * padded + (long)most * Sizes.Gates, 6);
        float* conv = Sizes.TakeRows(scratch, most), plain = Sizes.TakeRows(scratch, most), grads = Sizes.TakeRows(scratch, most);
        float* made = scratch.Take((long)most * padded), ofInput = scratch.Take((long)most * padded), gates = scratch.Take((long)most * Sizes.Gates);
        new Span<float>(made, most * padded).Clear();
        for (var start = 0; start < length; start += most)
        {
            var count = Math.Min(most, length - start);
            var step = ((long)Sequence * length + start) * width;
            Gates(start, count, gates);
            Sizes.LoadRows<W>(Conv + step, count, conv);
            Sizes.LoadRows<W>(X + step, count, plain);
            Make<W>(0, GradQ, Q, gates, start, count, made, grads, conv);
            if (GradConv != null)
                Bands.Apply<W>(Sizes, QueryBands, grads, count, null, add: false, ofInput, padded);
            Make<W>(1, GradK, K, gates, start, count, made, grads, conv);
            if (GradConv != null)
            {
                Bands.Apply<W>(Sizes, KeyBands, grads, count, null, add: true, ofInput, padded);
                Rows.Store(ofInput, count, width, padded, GradConv + step);
            }
            Make<W>(2, GradV, V, gates, start, count, made, grads, plain);
            if (GradX != null)
            {
                Bands.Apply<W>(Sizes, ValueBands, grads, count, null, add: false, ofInput, padded);
                Rows.Store(ofInput, count, width, padded, GradX + step);
            }
        }
    }

    /// <summary>The gates' gradients, [step, gate]; their biases get the sums.</summary>
    private readonly void Gates(int start, int count, float* gates)
    {
        var biases = Part + BiasesOfGates(Sizes);
        for (var gate = 0; gate < Sizes.Gates; gate++)
        {
            var (head, grad) = gate < Sizes.Heads ? (gate, (nint)GradI) : (gate - Sizes.Heads, (nint)GradF);
            var from = grad == 0 ? null : (float*)grad + ((long)Sequence * Sizes.Heads + head) * Sizes.Length + start;
            for (var t = 0; t < count; t++)
            {
                var value = from == null ? 0 : from[t];
                gates[t * Sizes.Gates + gate] = value;
                biases[gate] += value;
            }
        }
    }

    /// <summary>Of q, k or v: the gradient, its own and what comes through the gates, in <paramref name="grads"/>; the gates' weights and its own matrix get theirs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Make<W>(int part, float* given, float* outputs, float* gates, int start, int count, float* made, float* grads, float* inputs)
        where W : struct, ILanes<W>
    {
        int padded = Sizes.Padded, row = Sizes.RowSize, gateCount = Sizes.Gates;
        var hasOwn = given != null;
        if (hasOwn)
            Sizes.Together<W>(given, Sequence, start, count, grads, row);
        TileProduct.Run<W>(count, padded, gateCount, gates, gateCount, 1, GateWeights + part * padded, 3 * padded, grads, row, add: hasOwn);
        Sizes.Together<W>(outputs, Sequence, start, count, made, padded);
        TileProduct.Run<W>(
            gateCount, padded, count, gates, 1, gateCount, made, padded, Part + WeightsOfGates(Sizes) + part * padded, 3 * padded, add: true);
        Bands.AddOuter<W>(Sizes, grads, inputs, count, Part + part * Sizes.BandSize, Part + Biases(Sizes) + part * padded);
    }
}
