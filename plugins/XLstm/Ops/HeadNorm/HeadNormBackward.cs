using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.HeadNorm;

/// <summary>The backward of one sequence; gradients of weight and skip are this sequence's part.</summary>
internal unsafe struct HeadNormBackward : ISimdKernel
{
    public HeadNormPass Pass;
    public int Sequence;
    public float* GradY;                    // null: zero
    public float* GradH, GradConv, GradGate;        // null: not wanted
    public float* GradWeight, GradSkip;     // [head · dim]

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        int heads = Pass.Heads, dim = Pass.Dim;
        new Span<float>(GradWeight, heads * dim).Clear();
        new Span<float>(GradSkip, heads * dim).Clear();
        var grads = Scratch.Of(dim, 1).Take(dim);
        for (var t = 0; t < Pass.Length; t++)
        {
            for (var head = 0; head < heads; head++)
            {
                var (apart, together, row) = Pass.Places(Sequence, head, t);
                var (sum, product) = Gate<V>(apart, together, head, Pass.Means[row], Pass.Rates[row], grads);
                if (GradH != null)
                    Normalised<V>(grads, Pass.H + apart, GradH + apart, dim, Pass.Means[row], Pass.Rates[row], sum / dim, product / dim);
            }
        }
    }

    /// <summary>Back through gate, skip and weight: the gradient of x̂ in <paramref name="grads"/>, its sum, and its product with x̂.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly (float Sum, float Product) Gate<V>(long apart, long together, int head, float mean, float rate, float* grads)
        where V : struct, ILanes<V>
    {
        var dim = Pass.Dim;
        V sum = V.Zero, product = V.Zero, one = V.Create(1);
        for (var e = 0; e < dim; e += V.Count)
        {
            var count = Math.Min(V.Count, dim - e);
            var channel = (long)head * dim + e;
            var normalised = (Edge.Load<V>(Pass.H + apart + e, count) - V.Create(mean)) * V.Create(rate);
            var grad = GradY == null ? V.Zero : Edge.Load<V>(GradY + together + e, count);
            var weight = Pass.Weight == null ? one : Edge.Load<V>(Pass.Weight + channel, count) + V.Create(Pass.Offset);
            var inner = normalised * weight;
            if (Pass.Skip != null)
                inner = V.MultiplyAdd(Edge.Load<V>(Pass.Skip + channel, count), Edge.Load<V>(Pass.Conv + together + e, count), inner);
            if (Pass.Gate != null)
            {
                var gate = Edge.Load<V>(Pass.Gate + together + e, count);
                var sigmoid = VectorMath.Sigmoid(gate);
                var isSilu = Pass.Act == HeadGate.Silu;
                if (GradGate != null)
                {
                    var slope = sigmoid * (one - sigmoid);
                    Edge.Store(grad * inner * (isSilu ? V.MultiplyAdd(gate, slope, sigmoid) : slope), GradGate + together + e, count);
                }
                grad *= isSilu ? gate * sigmoid : sigmoid;
            }
            if (Pass.Skip != null)
            {
                var skip = Edge.Load<V>(Pass.Skip + channel, count);
                Edge.Store(Edge.Load<V>(GradSkip + channel, count) + grad * Edge.Load<V>(Pass.Conv + together + e, count), GradSkip + channel, count);
                if (GradConv != null)
                    Edge.Store(grad * skip, GradConv + together + e, count);
            }
            Edge.Store(V.MultiplyAdd(grad, normalised, Edge.Load<V>(GradWeight + channel, count)), GradWeight + channel, count);
            grad *= weight;
            Edge.Store(grad, grads + e, count);
            sum += grad;
            product = V.MultiplyAdd(grad, normalised, product);
        }
        return (V.Sum(sum), V.Sum(product));
    }

    /// <summary>∂h = rate · (g - mean of g - x̂ · mean of g x̂).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Normalised<V>(float* grads, float* h, float* target, int dim, float mean, float rate, float meanGrad, float meanProduct)
        where V : struct, ILanes<V>
    {
        for (var e = 0; e < dim; e += V.Count)
        {
            var count = Math.Min(V.Count, dim - e);
            var normalised = (Edge.Load<V>(h + e, count) - V.Create(mean)) * V.Create(rate);
            var grad = Edge.Load<V>(grads + e, count) - V.Create(meanGrad) - normalised * V.Create(meanProduct);
            Edge.Store(grad * V.Create(rate), target + e, count);
        }
    }
}
