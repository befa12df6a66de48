using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.XLstm.Ops.Mlstm;

/// <summary>mLSTM in plain tensor code; autograd derives the backward. Every backend is tested against this.</summary>
internal static class MlstmReference
{
    private const int DefaultChunk = 64;
    private const double LargestFloor = 80;     // e^80 in a denominator is as good as ∞, and does not make NaN of 0

    /// <summary>Chunk after chunk: one of the whole length is the parallel form, chunks of one step are the recurrent form.</summary>
    /// <param name="inputs">As <see cref="Mlstm.Arguments"/> has them.</param>
    /// <param name="eps">ε.</param>
    /// <param name="chunkSize">Steps of a chunk; 0 for a good one.</param>
    public static NamedTensors Forward(NamedTensors inputs, double eps, int chunkSize)
    {
        using var scope = NewDisposeScope();
        long batch = inputs["q"].size(0), heads = inputs["q"].size(1), length = inputs["q"].size(2), keys = inputs["q"].size(3), values = inputs["v"].size(3);
        var chunk = Math.Max(1, Math.Min(length, chunkSize > 0 ? chunkSize : DefaultChunk));
        using Scalar keyScale = 1 / Math.Sqrt(keys);
        using Scalar epsilon = eps;
        var q = inputs["q"].flatten(0, 1).split(chunk, 1);                                  // each [batch · head, chunk, key dim]
        var k = (inputs["k"] * keyScale).flatten(0, 1).split(chunk, 1);
        var v = inputs["v"].flatten(0, 1).split(chunk, 1);
        var i = inputs["i"].flatten(0, 1).to(float64).split(chunk, 1);                      // sums of gates, and their differences, in float64
        var logForget = nn.functional.logsigmoid(inputs["f"].flatten(0, 1).to(float64)).split(chunk, 1);
        var c = inputs.Find("c0")?.flatten(0, 1) ?? zeros([batch * heads, keys, values], inputs["q"].dtype, inputs["q"].device);
        var n = inputs.Find("n0")?.flatten(0, 1) ?? zeros([batch * heads, keys], inputs["q"].dtype, inputs["q"].device);
        var m = inputs.Find("m0")?.flatten(0, 1).to(float64) ?? zeros([batch * heads, 1], float64, inputs["q"].device);
        var h = new List<Tensor>();
        for (var piece = 0; piece < (length == 0 ? 0 : q.Length); piece++)
        {
            (var part, c, n, m) = Chunk(q[piece], k[piece], v[piece], i[piece], logForget[piece], c, n, m, epsilon);
            h.Add(part);
        }
        var all = h.Count > 0 ? cat(h, 1).view(batch, heads, length, values) : inputs["v"] * inputs["i"].unsqueeze(-1);     // no time: empty
        return new()
        {
            ["h"] = all.MoveToOuterDisposeScope(),
            ["c"] = c.view(batch, heads, keys, values).MoveToOuterDisposeScope(),
            ["n"] = n.view(batch, heads, keys).MoveToOuterDisposeScope(),
            ["m"] = m.to(inputs["q"].dtype).view(batch, heads, 1).MoveToOuterDisposeScope(),
        };
    }

    /// <summary>One chunk in the parallel form, seen from the state before it.</summary>
    private static (Tensor H, Tensor C, Tensor N, Tensor M) Chunk(
        Tensor q, Tensor k, Tensor v, Tensor i, Tensor logForget, Tensor c, Tensor n, Tensor m, Scalar epsilon)
    {
        using var scope = NewDisposeScope();
        using Scalar never = double.NegativeInfinity;
        using Scalar largestFloor = LargestFloor;
        var dtype = q.dtype;
        var count = q.size(1);
        var sum = logForget.cumsum(1);                                                              // F_t, [rows, chunk]
        var future = ones([count, count], ScalarType.Bool, q.device).triu(1);
        var logWeights = (sum.unsqueeze(2) - sum.unsqueeze(1) + i.unsqueeze(1)).masked_fill(future, never);   // F_t - F_j + i_j, [rows, t, j]
        var fromState = sum + m;
        var mt = maximum(fromState, logWeights.amax(2));                                            // [rows, chunk]
        var weights = (logWeights - mt.unsqueeze(2)).to(dtype).exp();
        var stateWeight = (fromState - mt).to(dtype).exp();
        var scores = bmm(q, k.transpose(1, 2)) * weights;
        var numerator = bmm(scores, v) + stateWeight.unsqueeze(2) * bmm(q, c);
        var product = scores.sum(2) + stateWeight * bmm(q, n.unsqueeze(2)).squeeze(2);
        var least = (-mt).clamp_max(largestFloor).to(dtype).exp();
        var h = numerator / (maximum(product.abs(), least) + epsilon).unsqueeze(2);

        var decay = stateWeight.narrow(1, count - 1, 1);                                            // [rows, 1]
        var weighed = weights.select(1, count - 1).unsqueeze(2) * k;                                // [rows, chunk, key dim]
        return (
            h.MoveToOuterDisposeScope(),
            (decay.unsqueeze(2) * c + bmm(weighed.transpose(1, 2), v)).MoveToOuterDisposeScope(),
            (decay * n + weighed.sum(1)).MoveToOuterDisposeScope(),
            mt.narrow(1, count - 1, 1).MoveToOuterDisposeScope());
    }
}
