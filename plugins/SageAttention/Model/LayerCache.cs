using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>Keys and values that one layer has seen, in memory for a fixed number of tokens.</summary>
/// <param name="keys">[batch, key head, longest, dim].</param>
/// <param name="values">[batch, key head, longest, dim].</param>
internal sealed class LayerCache(Tensor keys, Tensor values) : IDisposable
{
    /// <summary>How many tokens it holds.</summary>
    public long Length { get; private set; }

    /// <summary>What was seen, [batch, key head, key, dim].</summary>
    public Tensor Keys => keys.narrow(2, 0, Length);

    /// <summary>What was seen, [batch, key head, key, dim].</summary>
    public Tensor Values => values.narrow(2, 0, Length);

    /// <summary>Writes further keys and values, [batch, time, key head, dim], behind those that are there.</summary>
    public void Append(Tensor moreKeys, Tensor moreValues)
    {
        using var noGradient = no_grad();
        var count = moreKeys.shape[1];
        keys.narrow(2, Length, count).copy_(moreKeys.transpose(1, 2));
        values.narrow(2, Length, count).copy_(moreValues.transpose(1, 2));
        Length += count;
    }

    /// <summary>An independent copy.</summary>
    public LayerCache Clone() => new(keys.clone().DetachFromDisposeScope(), values.clone().DetachFromDisposeScope()) { Length = Length };

    public void Dispose()
    {
        keys.Dispose();
        values.Dispose();
    }
}
