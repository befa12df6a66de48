using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.MlstmInputs;

/// <summary>Blocks of four: inputs are read where they are, and heads come apart on the way out.</summary>
internal unsafe partial struct MlstmInputsForward
{
    private const int StepsOfFours = 4;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void RunFours<W>()
        where W : struct, ILanes<W>
    {
        int width = Sizes.Width, heads = Sizes.Heads, length = Sizes.Length, dim = Sizes.HeadDim;
        var scratch = ThreadScratch.Of(3L * StepsOfFours * width + 2L * Sizes.GateRow, 2);
        float* made = scratch.Take(3L * StepsOfFours * width), sums = scratch.Take(2L * Sizes.GateRow);
        for (var start = 0; start < length; start += StepsOfFours)
        {
            var count = Math.Min(StepsOfFours, length - start);
            var step = ((long)Sequence * length + start) * width;
            for (var h = 0; h < heads; h++)
            {
                var (channel, apart) = (h * dim, (((long)Sequence * heads + h) * length + start) * dim);
                QueriesAndKeys<W>(Conv + step, channel, count, made, Q + apart, K + apart);
                Values<W>(X + step, channel, count, made + 2 * width, V + apart);
            }
            Gates<W>(made, sums, start, count);
        }
    }

    /// <summary>q and k of a head, which share what they read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void QueriesAndKeys<W>(float* rows, int channel, int count, float* made, float* queries, float* keys)
        where W : struct, ILanes<W>
    {
        int width = Sizes.Width, dim = Sizes.HeadDim;
        for (var e = 0; e < dim; e += W.Count)
        {
            var at = channel + e;
            float* wq = QueryBands + at, wk = KeyBands + at;
            W q0 = W.Load(wq), q1 = W.Load(wq + width), q2 = W.Load(wq + 2 * width), q3 = W.Load(wq + 3 * width);
            W k0 = W.Load(wk), k1 = W.Load(wk + width), k2 = W.Load(wk + 2 * width), k3 = W.Load(wk + 3 * width);
            for (var t = 0; t < count; t++)
            {
                W x = W.Load(rows + (long)t * width + at), q = W.Load(QueryBias + at), k = W.Load(KeyBias + at);
                var part = W.RepeatInFours(x, 0);
                q = W.MultiplyAdd(q0, part, q);
                k = W.MultiplyAdd(k0, part, k);
                part = W.RepeatInFours(x, 1);
                q = W.MultiplyAdd(q1, part, q);
                k = W.MultiplyAdd(k1, part, k);
                part = W.RepeatInFours(x, 2);
                q = W.MultiplyAdd(q2, part, q);
                k = W.MultiplyAdd(k2, part, k);
                part = W.RepeatInFours(x, 3);
                q = W.MultiplyAdd(q3, part, q);
                k = W.MultiplyAdd(k3, part, k);
                var row = made + 3L * t * width + at;
                q.Store(row);
                k.Store(row + width);
                q.Store(queries + (long)t * dim + e);
                k.Store(keys + (long)t * dim + e);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Values<W>(float* rows, int channel, int count, float* made, float* values)
        where W : struct, ILanes<W>
    {
        int width = Sizes.Width, dim = Sizes.HeadDim;
        for (var e = 0; e < dim; e += W.Count)
        {
            var at = channel + e;
            var weights = ValueBands + at;
            W v0 = W.Load(weights), v1 = W.Load(weights + width), v2 = W.Load(weights + 2 * width), v3 = W.Load(weights + 3 * width);
            var bias = W.Load(ValueBias + at);
            for (var t = 0; t < count; t++)
            {
                var x = W.Load(rows + (long)t * width + at);
                var v = W.MultiplyAdd(v0, W.RepeatInFours(x, 0), bias);
                v = W.MultiplyAdd(v1, W.RepeatInFours(x, 1), v);
                v = W.MultiplyAdd(v2, W.RepeatInFours(x, 2), v);
                v = W.MultiplyAdd(v3, W.RepeatInFours(x, 3), v);
                v.Store(made + 3L * t * width + at);
                v.Store(values + (long)t * dim + e);
            }
        }
    }
}
