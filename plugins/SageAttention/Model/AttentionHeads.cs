using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>Exact causal attention in its three uses: training, prefill into a cache, one token after a cache.</summary>
/// <param name="kernels">Which backend is wanted.</param>
internal sealed class AttentionHeads(KernelChoice kernels)
{
    /// <summary>Attention of a whole sequence.</summary>
    /// <param name="q">[batch, time, head, dim].</param>
    /// <param name="k">[batch, time, key head, dim].</param>
    /// <param name="v">[batch, time, key head, dim].</param>
    /// <param name="dropout">Drops attention weights; null outside training.</param>
    /// <param name="cache">Gets k and v, and is attended to as well; null where nothing is remembered.</param>
    /// <returns>[batch, time, head × dim].</returns>
    public Tensor Attend(Tensor q, Tensor k, Tensor v, DropoutMask? dropout, LayerCache? cache)
    {
        if (cache is null)
            return (dropout is null ? Attention.Apply(q, k, v, kernels: kernels) : WithDropout(q, k, v, dropout)).flatten(2, 3);
        var before = cache.Length;
        cache.Append(k, v);
        if (q.shape[1] == 1)
            return One(q, cache).flatten(2, 3);
        return (before == 0
            ? Attention.Apply(q, k, v, kernels: kernels)
            : Attention.Apply(q, cache.Keys.transpose(1, 2), cache.Values.transpose(1, 2), kernels: kernels)).flatten(2, 3);
    }

    /// <summary>One query a sequence: all keys are seen, and two small products read the cache where it lies.</summary>
    private static Tensor One(Tensor q, LayerCache cache)
    {
        var (batch, heads, dim) = (q.shape[0], q.shape[2], q.shape[3]);
        using Scalar scale = 1 / Math.Sqrt(dim);
        var keyHeads = cache.Keys.shape[1];
        var grouped = (q * scale).reshape(batch * keyHeads, heads / keyHeads, dim);
        var weights = grouped.bmm(cache.Keys.flatten(0, 1).transpose(1, 2)).softmax(-1);      // [batch × key head, member, key]
        return weights.bmm(cache.Values.flatten(0, 1)).reshape(batch, 1, heads, dim);
    }

    /// <summary>softmax(q kᵀ / √dim) with some weights dropped, from the definition.</summary>
    private static Tensor WithDropout(Tensor q, Tensor k, Tensor v, DropoutMask dropout)
    {
        var (length, group) = (q.shape[1], q.shape[2] / k.shape[2]);
        using Scalar scale = 1 / Math.Sqrt(q.shape[3]);
        using Scalar never = double.NegativeInfinity;
        var (queries, keys, values) = (q.transpose(1, 2), Heads(k), Heads(v));              // [batch, head, time, dim]
        var hidden = ones([length, length], ScalarType.Bool, q.device).triu(1);
        var weights = einsum("bhld,bhnd->bhln", queries * scale, keys).masked_fill(hidden, never).softmax(-1);
        return einsum("bhln,bhnd->blhd", dropout.Drop(weights), values);

        Tensor Heads(Tensor x) => group == 1 ? x.transpose(1, 2) : x.transpose(1, 2).repeat_interleave(group, dim: 1);
    }
}
