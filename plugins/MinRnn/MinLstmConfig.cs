using System.Text.Json.Serialization;

namespace Zoo.MinRnn;

/// <summary>A minLSTM (Feng et al. 2024, section 3.2).</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record MinLstmConfig : MinLmConfig
{
    /// <summary>The original project's switch between its two recurrences; here the architecture says it, and it must agree.</summary>
    [JsonPropertyName("use_lstm")] public bool UseLstm { get; init; } = true;

    /// <summary>
    /// Whether candidates pass g (x + 1/2 from 0 on, σ(x) below), which a scan over logarithms needs; false is the plain form of the paper's
    /// section 3, a different model. Ours: the original project has the first only.
    /// </summary>
    [JsonPropertyName("log_space")] public bool LogSpace { get; init; } = true;

    /// <inheritdoc/>
    public override IEnumerable<string> Problems() =>
        !UseLstm ? base.Problems().Append("'use_lstm' is false, and that model is the architecture mingru.") : base.Problems();
}
