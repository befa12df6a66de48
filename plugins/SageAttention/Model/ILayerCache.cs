using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>Keys and values that one layer has seen.</summary>
internal interface ILayerCache : IDisposable
{
    /// <summary>How many tokens it holds.</summary>
    long Length { get; }

    /// <summary>Memory of it, full or not.</summary>
    long Bytes { get; }

    /// <summary>Keys as they are kept, [batch, key head, key, dim].</summary>
    Tensor Keys { get; }

    /// <summary>Values as they are kept, [batch, key head, key, dim].</summary>
    Tensor Values { get; }

    /// <summary>Writes further keys and values, [batch, time, key head, dim], behind those that are there.</summary>
    void Append(Tensor moreKeys, Tensor moreValues);

    /// <summary>Attention of one query a sequence, which sees all keys.</summary>
    /// <param name="q">[batch, 1, head, dim].</param>
    /// <returns>Of the shape of <paramref name="q"/>.</returns>
    Tensor AttendOne(Tensor q);

    /// <summary>An independent copy.</summary>
    ILayerCache Clone();
}
