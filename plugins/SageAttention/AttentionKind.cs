using System.Text.Json.Serialization;

namespace Zoo.SageAttention;

/// <summary>How attention is computed outside training.</summary>
public enum AttentionKind
{
    /// <summary>Softmax attention, in the model's own arithmetic.</summary>
    [JsonStringEnumMemberName("exact")] Exact,

    /// <summary>The op sage_attention: scores of quantised queries and keys. Where gradients are asked for, exact attention runs instead.</summary>
    [JsonStringEnumMemberName("sage")] Sage,
}
