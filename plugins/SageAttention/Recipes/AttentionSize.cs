using System.Globalization;

namespace Zoo.SageAttention.Recipes;

/// <summary>How large an attention is.</summary>
/// <param name="Heads">Heads.</param>
/// <param name="Queries">Queries of each.</param>
/// <param name="Keys">Keys of each.</param>
/// <param name="Dim">Dimensions of each.</param>
internal sealed record AttentionSize(long Heads, long Queries, long Keys, long Dim)
{
    /// <summary>In words.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Heads} heads of {Dim} dimensions, {Queries:N0} queries and {Keys:N0} keys, not causal.");
}
