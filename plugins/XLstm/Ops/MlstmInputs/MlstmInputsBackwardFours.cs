using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.MlstmInputs;

/// <summary>Blocks of four: what lies in time is read and written where it is.</summary>
internal unsafe partial struct MlstmInputsBackward
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void RunFours<W>()
        where W : struct, ILanes<W>
    {
        int length = Sizes.Length, most = Math.Min(MlstmInputsSizes.Steps, length);
        var scratch = ThreadScratch.Of((long)most * (Sizes.Width + Sizes.Gates), 2);
        float* grads = scratch.Take((long)most * Sizes.Width), gates = scratch.Take((long)most * Sizes.Gates);
        for (var start = 0; start < length; start += most)
        {
            var count = Math.Min(most, length - start);
            Gates(start, count, gates);
            MakeFours<W>(0, GradQ, Q, gates, start, count, grads, Conv, GradConv, QueryBands, add: false);
            MakeFours<W>(1, GradK, K, gates, start, count, grads, Conv, GradConv, KeyBands, add: true);
            MakeFours<W>(2, GradV, V, gates, start, count, grads, X, GradX, ValueBands, add: false);
        }
    }

    /// <summary>Of q, k or v: what comes through the gates, then head by head the rest; the gates' weights get their gradient from the outputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void MakeFours<W>(
        int part, float* given, float* outputs, float* gates, int start, int count, float* grads, float* inputs, float* gradInputs, float* weights, bool add)
        where W : struct, ILanes<W>
    {
        int width = Sizes.Width, gateCount = Sizes.Gates, dim = Sizes.HeadDim;
        var step = ((long)Sequence * Sizes.Length + start) * width;
        TileProduct.Run<W>(count, width, gateCount, gates, gateCount, 1, GateWeights + part * width, 3 * width, grads, width, add: false);
        for (var h = 0; h < Sizes.Heads; h++)
        {
            var apart = (((long)Sequence * Sizes.Heads + h) * Sizes.Length + start) * dim;
            var ofGates = Part + WeightsOfGates(Sizes) + part * width + h * dim;
            TileProduct.Run<W>(gateCount, dim, count, gates, 1, gateCount, outputs + apart, dim, ofGates, 3 * width, add: true);
            Head<W>(part, h * dim, given == null ? null : given + apart, count, grads, inputs + step, gradInputs == null ? null : gradInputs + step, weights, add);
        }
    }

    /// <summary>The gradients of a head's inputs, of its blocks' weights, column by column, and of their biases.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Head<W>(
        int part, int channel, float* given, int count, float* grads, float* inputs, float* gradInputs, float* weights, bool add)
        where W : struct, ILanes<W>
    {
        int width = Sizes.Width, dim = Sizes.HeadDim;
        for (var e = 0; e < dim; e += W.Count)
        {
            var at = channel + e;
            float* rows = weights + at, columns = Part + part * Sizes.BandSize + at, biases = Part + Biases(Sizes) + part * width + at;
            W w0 = W.Load(rows), w1 = W.Load(rows + width), w2 = W.Load(rows + 2 * width), w3 = W.Load(rows + 3 * width);
            W c0 = W.Load(columns), c1 = W.Load(columns + width), c2 = W.Load(columns + 2 * width), c3 = W.Load(columns + 3 * width);
            var sum = W.Load(biases);
            for (var t = 0; t < count; t++)
            {
                W grad = W.Load(grads + (long)t * width + at), x = W.Load(inputs + (long)t * width + at);
                if (given != null)
                    grad += W.Load(given + (long)t * dim + e);
                sum += grad;
                c0 = W.MultiplyAdd(grad, W.RepeatInFours(x, 0), c0);
                c1 = W.MultiplyAdd(grad, W.RepeatInFours(x, 1), c1);
                c2 = W.MultiplyAdd(grad, W.RepeatInFours(x, 2), c2);
                c3 = W.MultiplyAdd(grad, W.RepeatInFours(x, 3), c3);
                if (gradInputs == null)
                    continue;
                var target = gradInputs + (long)t * width + at;
                var ofInput = add ? W.Load(target) : W.Zero;
                ofInput = W.MultiplyAdd(w0, W.RepeatInFours(grad, 0), ofInput);
                ofInput = W.MultiplyAdd(w1, W.RepeatInFours(grad, 1), ofInput);
                ofInput = W.MultiplyAdd(w2, W.RepeatInFours(grad, 2), ofInput);
                ofInput = W.MultiplyAdd(w3, W.RepeatInFours(grad, 3), ofInput);
                ofInput.Store(target);
            }
            c0.Store(columns);
            c1.Store(columns + width);
            c2.Store(columns + 2 * width);
            c3.Store(columns + 3 * width);
            sum.Store(biases);
        }
    }
}
