using System.ComponentModel;
using System.Text.Json.Serialization;

namespace Zoo.XLstm.Config;

/// <summary>Which blocks are sLSTM blocks: some by their index, or all.</summary>
/// <param name="Blocks">Indices from 0, or from -1 backwards from the last; null for all.</param>
[JsonConverter(typeof(SlstmPlacesConverter))]
[Description("a list of block indices, or \"all\"")]
public sealed record SlstmPlaces(IReadOnlyList<int>? Blocks)
{
    /// <summary>None: an xLSTM[1:0].</summary>
    public static SlstmPlaces None { get; } = new([]);

    /// <summary>All: an xLSTM[0:1].</summary>
    public static SlstmPlaces All { get; } = new((IReadOnlyList<int>?)null);

    /// <summary>Whether a block is one.</summary>
    public bool Contains(int block) => Blocks is null || Blocks.Contains(block);

    /// <inheritdoc/>
    public bool Equals(SlstmPlaces? other) => other is not null
        && (Blocks is null ? other.Blocks is null : other.Blocks is not null && Blocks.SequenceEqual(other.Blocks));

    /// <inheritdoc/>
    public override int GetHashCode() => Blocks?.Count ?? -1;
}
