using System.Text.Json.Nodes;
using TorchSharp;
using Zoo.Kernels;
using Zoo.SageAttention.Ops.Sage;
using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>Causal attention in its three uses: training, prefill into a cache, one token after a cache.</summary>
/// <remarks>
/// Quantised where the config says so and no gradient is asked for, over whole sequences. One token reads its cache: to quantise one query would
/// win nothing.
/// </remarks>
/// <param name="config">Which attention.</param>
/// <param name="kernels">Which backend is wanted.</param>
internal sealed class AttentionHeads(TransformerConfig config, KernelChoice kernels)
{
    private readonly OpOptions _quantised = new(new JsonObject
    {
        ["is_causal"] = true,
        ["qk_bits"] = config.AttentionBits,
        ["smooth_q"] = config.AttentionBits == 4,
    });

    /// <summary>Attention of a whole sequence.</summary>
    /// <param name="q">[batch, time, head, dim].</param>
    /// <param name="k">[batch, time, key head, dim].</param>
    /// <param name="v">[batch, time, key head, dim].</param>
    /// <param name="dropout">Drops attention weights; null outside training.</param>
    /// <param name="cache">Gets k and v, and is attended to as well; null where nothing is remembered.</param>
    /// <returns>[batch, time, head × dim].</returns>
    public Tensor Attend(Tensor q, Tensor k, Tensor v, DropoutMask? dropout, ILayerCache? cache)
    {
        if (dropout is not null && cache is null)
            return WithDropout(q, k, v, dropout).flatten(2, 3);
        if (cache is null)
            return Whole(q, k.transpose(1, 2), v.transpose(1, 2));
        var before = cache.Length;
        cache.Append(k, v);
        if (q.shape[1] == 1)
            return cache.AttendOne(q).flatten(2, 3);
        return before == 0 ? Whole(q, k.transpose(1, 2), v.transpose(1, 2)) : Whole(q, cache.Keys, cache.Values);
    }

    /// <summary>Queries of the last keys.</summary>
    /// <param name="q">[batch, time, head, dim].</param>
    /// <param name="k">[batch, key head, key, dim].</param>
    /// <param name="v">[batch, key head, key, dim].</param>
    private Tensor Whole(Tensor q, Tensor k, Tensor v)
    {
        var needsGradient = is_grad_enabled() && (q.requires_grad || k.requires_grad || v.requires_grad);
        if (config.Attention == AttentionKind.Exact || needsGradient)
            return Attention.Apply(q, k.transpose(1, 2), v.transpose(1, 2), kernels: kernels).flatten(2, 3);
        var inputs = new NamedTensors { ["q"] = q.transpose(1, 2).detach(), ["k"] = k.detach(), ["v"] = v.detach() };
        return SageAttentionOp.Instance.Invoke(inputs, _quantised, kernels).Outputs["o"].transpose(1, 2).flatten(2, 3);
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
