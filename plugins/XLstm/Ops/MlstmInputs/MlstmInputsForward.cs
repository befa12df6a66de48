using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.MlstmInputs;

/// <summary>The forward of one sequence, some steps at a time: their rows stay in the first cache from the input to the gates.</summary>
internal unsafe partial struct MlstmInputsForward : ISimdKernel
{
    public MlstmInputsSizes Sizes;
    public int Sequence;
    public float* X, Conv, InputBias, ForgetBias;
    public float* InputWeight, ForgetWeight;            // [head, 3 · padded]
    public float* QueryBias, KeyBias, ValueBias;        // [padded], or null
    public float* QueryBands, KeyBands, ValueBands;
    public float* Q, K, V, I, F;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<W>()
        where W : struct, ILanes<W>
    {
        if (Sizes.AreFours)
        {
            RunFours<W>();
            return;
        }
        int padded = Sizes.Padded, length = Sizes.Length, most = Math.Min(MlstmInputsSizes.Steps, length);
        var scratch = ThreadScratch.Of(2L * most * Sizes.RowSize + 3L * most * padded + 2L * Sizes.GateRow, 4);
        float* conv = Sizes.TakeRows(scratch, most), plain = Sizes.TakeRows(scratch, most), made = scratch.Take(3L * most * padded);
        var sums = scratch.Take(2L * Sizes.GateRow);
        for (var start = 0; start < length; start += most)
        {
            var count = Math.Min(most, length - start);
            var step = ((long)Sequence * length + start) * Sizes.Width;
            Sizes.LoadRows<W>(Conv + step, count, conv);
            Sizes.LoadRows<W>(X + step, count, plain);
            Bands.Apply<W>(Sizes, QueryBands, conv, count, QueryBias, add: false, made, 3 * padded);
            Bands.Apply<W>(Sizes, KeyBands, conv, count, KeyBias, add: false, made + padded, 3 * padded);
            Bands.Apply<W>(Sizes, ValueBands, plain, count, ValueBias, add: false, made + 2 * padded, 3 * padded);
            Sizes.Apart<W>(made, 3 * padded, count, Sequence, start, Q);
            Sizes.Apart<W>(made + padded, 3 * padded, count, Sequence, start, K);
            Sizes.Apart<W>(made + 2 * padded, 3 * padded, count, Sequence, start, V);
            Gates<W>(made, sums, start, count);
        }
    }

    /// <summary>The gates of some steps, from their q, k and v one after the other, 3 · padded a step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Gates<W>(float* made, float* sums, int start, int count)
        where W : struct, ILanes<W>
    {
        int padded = Sizes.Padded, heads = Sizes.Heads;
        for (var t = 0; t < count; t += 2)
        {
            var second = Math.Min(1, count - 1 - t);        // the same once more where there is none
            for (var gate = 0; gate < Sizes.Gates; gate += 4)
                GateSums<W>(made + 3L * t * padded, made + 3L * (t + second) * padded, gate, sums);
            for (var row = 0; row <= second; row++)
            {
                for (var h = 0; h < heads; h++)
                {
                    var place = ((long)Sequence * heads + h) * Sizes.Length + start + t + row;
                    I[place] = sums[row * Sizes.GateRow + h] + InputBias[h];
                    F[place] = sums[row * Sizes.GateRow + heads + h] + ForgetBias[h];
                }
            }
        }
    }

    /// <summary>What four gates see of two steps' q, k and v: sums[2 · gate] and the next.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void GateSums<W>(float* first, float* second, int gate, float* sums)
        where W : struct, ILanes<W>
    {
        float* w0 = Weights(gate), w1 = Weights(gate + 1), w2 = Weights(gate + 2), w3 = Weights(gate + 3);
        W a0 = W.Zero, a1 = W.Zero, a2 = W.Zero, a3 = W.Zero, b0 = W.Zero, b1 = W.Zero, b2 = W.Zero, b3 = W.Zero;
        var size = 3 * Sizes.Padded;
        for (var e = 0; e < size; e += W.Count)
        {
            W a = W.Load(first + e), b = W.Load(second + e), weight = W.Load(w0 + e);
            a0 = W.MultiplyAdd(weight, a, a0);
            b0 = W.MultiplyAdd(weight, b, b0);
            weight = W.Load(w1 + e);
            a1 = W.MultiplyAdd(weight, a, a1);
            b1 = W.MultiplyAdd(weight, b, b1);
            weight = W.Load(w2 + e);
            a2 = W.MultiplyAdd(weight, a, a2);
            b2 = W.MultiplyAdd(weight, b, b2);
            weight = W.Load(w3 + e);
            a3 = W.MultiplyAdd(weight, a, a3);
            b3 = W.MultiplyAdd(weight, b, b3);
        }
        W.Sums(a0, a1, a2, a3).Store(sums + gate);
        W.Sums(b0, b1, b2, b3).Store(sums + Sizes.GateRow + gate);
    }

    /// <summary>A gate's weights; the last one's for those that only fill up a group.</summary>
    private readonly float* Weights(int gate)
    {
        var own = Math.Min(gate, Sizes.Gates - 1);
        return own < Sizes.Heads ? InputWeight + 3L * own * Sizes.Padded : ForgetWeight + 3L * (own - Sizes.Heads) * Sizes.Padded;
    }
}
