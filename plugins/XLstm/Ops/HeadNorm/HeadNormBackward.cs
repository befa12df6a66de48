using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.HeadNorm;

/// <summary>The backward of one sequence; gradients of weight and skip are this sequence's part.</summary>
internal unsafe struct HeadNormBackward : ISimdKernel, HeadGates.IGatedPass
{
    public HeadNormPass Pass;
    public int Sequence;
    public float* GradY;                    // null: zero
    public float* GradH, GradConv, GradGate;        // null: not wanted
    public float* GradWeight, GradSkip;     // [head · dim]

    public readonly void Run<V>()
        where V : struct, ILanes<V> => HeadGates.Run<V, HeadNormBackward>(this, Pass);

    /// <summary>A step's heads take each pass together: one head's would wait for its own sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V, TGate>()
        where V : struct, ILanes<V>
        where TGate : struct, HeadGates.IGate
    {
        int heads = Pass.Heads, length = Pass.Length, dim = Pass.Dim, whole = dim - dim % V.Count;
        new Span<float>(GradWeight, heads * dim).Clear();
        new Span<float>(GradSkip, heads * dim).Clear();
        var scratch = ThreadScratch.Of((long)heads * dim + 2L * heads, 3);
        float* grads = scratch.Take((long)heads * dim), sums = scratch.Take(heads), products = scratch.Take(heads);
        var headSize = (long)length * dim;
        for (var t = 0; t < length; t++)
        {
            var (apart, together, row) = Pass.Places(Sequence, 0, t);
            for (var head = 0; head < heads; head++)
            {
                var h = Pass.H + apart + head * headSize;
                var (channel, place) = (head * dim, row + (long)head * length);
                V sum = V.Zero, product = V.Zero;
                Row<V, TGate, Edge.Whole>(h, channel, together + channel, 0, whole, Pass.Means[place], Pass.Rates[place], grads + channel, ref sum, ref product);
                if (whole < dim)
                    Row<V, TGate, Edge.Part>(h, channel, together + channel, whole, dim, Pass.Means[place], Pass.Rates[place], grads + channel, ref sum, ref product);
                (sums[head], products[head]) = (V.Sum(sum), V.Sum(product));
            }
            if (GradH == null)
                continue;
            for (var head = 0; head < heads; head++)
            {
                float* h = Pass.H + apart + head * headSize, target = GradH + apart + head * headSize;
                var place = row + (long)head * length;
                var (mean, rate, meanGrad, meanProduct) = (Pass.Means[place], Pass.Rates[place], sums[head] / dim, products[head] / dim);
                Normalised<V, Edge.Whole>(grads + head * dim, h, target, 0, whole, mean, rate, meanGrad, meanProduct);
                if (whole < dim)
                    Normalised<V, Edge.Part>(grads + head * dim, h, target, whole, dim, mean, rate, meanGrad, meanProduct);
            }
        }
    }

    /// <summary>Back through gate, skip and weight: the gradient of x̂ in <paramref name="grads"/>, its sum, and its product with x̂.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Row<V, TGate, TEdge>(
        float* h, int channel, long together, int from, int to, float mean, float rate, float* grads, ref V sum, ref V product)
        where V : struct, ILanes<V>
        where TGate : struct, HeadGates.IGate
        where TEdge : struct, Edge.IEdge
    {
        V gradSum = sum, gradProduct = product, one = V.Create(1), offset = V.Create(Pass.Offset), wideMean = V.Create(mean), wideRate = V.Create(rate);
        float* weights = At(Pass.Weight, channel), skips = At(Pass.Skip, channel), conv = At(Pass.Conv, together), gates = At(Pass.Gate, together);
        float* gradY = At(GradY, together), gradConv = At(GradConv, together), gradGate = At(GradGate, together);
        float* gradWeight = GradWeight + channel, gradSkip = GradSkip + channel;
        for (var e = from; e < to; e += V.Count)
        {
            var count = to - e;
            var normalised = (TEdge.Load<V>(h + e, count) - wideMean) * wideRate;
            var grad = gradY == null ? V.Zero : TEdge.Load<V>(gradY + e, count);
            var weight = weights == null ? one : TEdge.Load<V>(weights + e, count) + offset;
            V skip = V.Zero, convolved = V.Zero;
            if (skips != null)
                (skip, convolved) = (TEdge.Load<V>(skips + e, count), TEdge.Load<V>(conv + e, count));
            if (TGate.Exists)
            {
                TGate.WithSlope(TEdge.Load<V>(gates + e, count), out var open, out var slope);
                if (gradGate != null)
                    TEdge.Store(grad * V.MultiplyAdd(skip, convolved, normalised * weight) * slope, gradGate + e, count);
                grad *= open;
            }
            if (skips != null)
            {
                TEdge.Store(V.MultiplyAdd(grad, convolved, TEdge.Load<V>(gradSkip + e, count)), gradSkip + e, count);
                if (gradConv != null)
                    TEdge.Store(grad * skip, gradConv + e, count);
            }
            TEdge.Store(V.MultiplyAdd(grad, normalised, TEdge.Load<V>(gradWeight + e, count)), gradWeight + e, count);
            grad *= weight;
            TEdge.Store(grad, grads + e, count);
            gradSum += grad;
            gradProduct = V.MultiplyAdd(grad, normalised, gradProduct);
        }
        (sum, product) = (gradSum, gradProduct);
    }

    /// <summary>∂h = rate · (g - mean of g - x̂ · mean of g x̂).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Normalised<V, TEdge>(float* grads, float* h, float* target, int from, int to, float mean, float rate, float meanGrad, float meanProduct)
        where V : struct, ILanes<V>
        where TEdge : struct, Edge.IEdge
    {
        V wideMean = V.Create(mean), wideRate = V.Create(rate), wideGrad = V.Create(meanGrad), wideProduct = V.Create(meanProduct);
        for (var e = from; e < to; e += V.Count)
        {
            var normalised = (TEdge.Load<V>(h + e, to - e) - wideMean) * wideRate;
            var grad = TEdge.Load<V>(grads + e, to - e) - wideGrad - normalised * wideProduct;
            TEdge.Store(grad * wideRate, target + e, to - e);
        }
    }

    private static float* At(float* array, long offset) => array == null ? null : array + offset;
}
