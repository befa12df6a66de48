using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>Keys and values that one layer has seen, in memory for a fixed number of tokens.</summary>
/// <param name="keys">[batch, key head, longest, dim].</param>
/// <param name="values">[batch, key head, longest, dim].</param>
internal sealed class LayerCache(Tensor keys, Tensor values) : ILayerCache
{
    public long Length { get; private set; }

    public long Bytes => keys.numel() * keys.element_size() + values.numel() * values.element_size();

    public Tensor Keys => keys.narrow(2, 0, Length);

    public Tensor Values => values.narrow(2, 0, Length);

    public void Append(Tensor moreKeys, Tensor moreValues)
    {
        using var noGradient = no_grad();
        var count = moreKeys.shape[1];
        keys.narrow(2, Length, count).copy_(moreKeys.transpose(1, 2));
        values.narrow(2, Length, count).copy_(moreValues.transpose(1, 2));
        Length += count;
    }

    /// <summary>One query a sequence: all keys are seen, and two small products read the cache where it lies.</summary>
    public Tensor AttendOne(Tensor q)
    {
        var (batch, heads, dim) = (q.shape[0], q.shape[2], q.shape[3]);
        using Scalar scale = 1 / Math.Sqrt(dim);
        var keyHeads = keys.shape[1];
        var grouped = (q * scale).reshape(batch * keyHeads, heads / keyHeads, dim);
        var weights = grouped.bmm(Keys.flatten(0, 1).transpose(1, 2)).softmax(-1);      // [batch × key head, member, key]
        return weights.bmm(Values.flatten(0, 1)).reshape(batch, 1, heads, dim);
    }

    public ILayerCache Clone() => new LayerCache(keys.clone().DetachFromDisposeScope(), values.clone().DetachFromDisposeScope()) { Length = Length };

    public void Dispose()
    {
        keys.Dispose();
        values.Dispose();
    }
}
