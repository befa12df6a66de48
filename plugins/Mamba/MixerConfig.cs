using System.Text.Json.Serialization;
using Zoo.Configuration;

namespace Zoo.Mamba;

/// <summary>Hyperparameters of a block's mixer, as the original nests them under ssm_cfg.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
[IgnoredKeys("use_fast_path")]
public sealed record MixerConfig : Settings
{
    internal const string SelectiveKey = "selective";

    /// <summary>Which mixer; Mamba1 is the only one here.</summary>
    [JsonPropertyName("layer")] public string Layer { get; init; } = "Mamba1";

    /// <summary>States of a channel; N in the paper.</summary>
    [JsonPropertyName("d_state")] public int StateDim { get; init; } = 16;

    /// <summary>Width of the short convolution.</summary>
    [JsonPropertyName("d_conv")] public int ConvWidth { get; init; } = 4;

    /// <summary>Channels of the mixer for one of the residual stream; E in the paper. Part of a channel is left out.</summary>
    [JsonPropertyName("expand")] public double ExpandFactor { get; init; } = 2;

    /// <summary>Rank of the projection to step sizes; R in the paper. A number, or "auto" for d_model / 16, rounded up.</summary>
    [JsonPropertyName("dt_rank")] public System.Text.Json.Nodes.JsonNode StepRank { get; init; } = "auto";

    /// <summary>The smallest step size that is drawn at the start.</summary>
    [JsonPropertyName("dt_min")] public double StepMinimum { get; init; } = 1e-3;

    /// <summary>The largest.</summary>
    [JsonPropertyName("dt_max")] public double StepMaximum { get; init; } = 0.1;

    /// <summary>How the projection to step sizes starts: "random" or "constant".</summary>
    [JsonPropertyName("dt_init")] public string StepInit { get; init; } = "random";

    /// <summary>Factor on that start.</summary>
    [JsonPropertyName("dt_scale")] public double StepScale { get; init; } = 1;

    /// <summary>No step size starts below it.</summary>
    [JsonPropertyName("dt_init_floor")] public double StepFloor { get; init; } = 1e-4;

    /// <summary>Whether the convolution has a bias.</summary>
    [JsonPropertyName("conv_bias")] public bool ConvBias { get; init; } = true;

    /// <summary>Whether the projections into and out of the mixer have biases.</summary>
    [JsonPropertyName("bias")] public bool Bias { get; init; }

    /// <summary>
    /// Whether step sizes, B and C depend on the input. Without it they are learned constants, and the mixer is a linear time-invariant
    /// system: the ablation of the paper's tables 1 and 7. A key of ours.
    /// </summary>
    [JsonPropertyName(SelectiveKey)] public bool Selective { get; init; } = true;

    /// <summary>R for a residual stream of <paramref name="modelDim"/>.</summary>
    public int RankFor(int modelDim) => IsAuto ? (modelDim + 15) / 16 : StepRank.GetValue<int>();

    private bool IsAuto => StepRank.GetValueKind() == System.Text.Json.JsonValueKind.String;

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        if (Layer != "Mamba1")
            yield return $"'layer' is \"{Layer}\"; this plugin has \"Mamba1\".";
        foreach (var (key, value) in new[] { ("d_state", StateDim), ("d_conv", ConvWidth) })
        {
            if (value is < 1 or > MambaConfig.MostInner)
                yield return $"'{key}' is {value}; it must be from 1 to {MambaConfig.MostInner}.";
        }
        var rank = StepRank.ToJsonString();
        if (IsAuto ? rank != "\"auto\"" : !(int.TryParse(rank, out var number) && number is >= 1 and <= MambaConfig.MostInner))
            yield return $"'dt_rank' is {rank}; it must be \"auto\" or a whole number from 1 to {MambaConfig.MostInner}.";
        if (StepInit is not ("random" or "constant"))
            yield return $"'dt_init' is \"{StepInit}\"; it must be \"random\" or \"constant\".";
        if (!(StepMinimum > 0 && StepMaximum >= StepMinimum && double.IsFinite(StepMaximum)))
            yield return $"'dt_min' is {StepMinimum} and 'dt_max' is {StepMaximum}; the first must be above 0 and the second no smaller.";
        if (!(StepFloor > 0 && double.IsFinite(StepFloor)))
            yield return $"'dt_init_floor' is {StepFloor}; it must be above 0.";
        if (!double.IsFinite(StepScale))
            yield return $"'dt_scale' is {StepScale}; it must be finite.";
    }
}
