using System.Text.Json.Serialization;
using Zoo.Configuration;

namespace Zoo.XLstm.Config;

/// <summary>An sLSTM layer and its cell, under the original project's keys.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
[IgnoredKeys(
    "embedding_dim", "hidden_size", "dropout", "backend", "num_states", "num_gates", "batch_size", "input_shape", "internal_input_shape", "output_shape", "constants",
    "dtype", "dtype_b", "dtype_r", "dtype_w", "dtype_g", "dtype_s", "dtype_a", "enable_automatic_mixed_precision")]
public sealed record SlstmLayerConfig : Settings
{
    /// <summary>Taps of the causal convolution; 0 for none.</summary>
    [JsonPropertyName("conv1d_kernel_size")] public int ConvWidth { get; init; } = 4;

    /// <summary>Heads.</summary>
    [JsonPropertyName("num_heads")] public int HeadCount { get; init; } = 4;

    /// <summary>Whether the group norm has a weight.</summary>
    [JsonPropertyName("group_norm_weight")] public bool NormWeight { get; init; } = true;

    /// <summary>The cell; the original has a plain LSTM too, this plugin "slstm" alone.</summary>
    [JsonPropertyName("function")] public string Function { get; init; } = "slstm";

    /// <summary>How biases start.</summary>
    [JsonPropertyName("bias_init")] public SlstmBiasStart BiasStart { get; init; } = SlstmBiasStart.PowerlawBlockdependent;

    /// <summary>How recurrent weights start.</summary>
    [JsonPropertyName("recurrent_weight_init")] public RecurrentStart RecurrentStart { get; init; } = RecurrentStart.Zeros;

    /// <summary>Whether gradients stop at recurrent weights; upstream has it, this plugin not.</summary>
    [JsonPropertyName("gradient_recurrent_cut")] public bool CutsRecurrentGradient { get; init; }

    /// <summary>Bound on recurrent gradients, likewise.</summary>
    [JsonPropertyName("gradient_recurrent_clipval")] public double? RecurrentGradientBound { get; init; }

    /// <summary>Bound on y, likewise.</summary>
    [JsonPropertyName("forward_clipval")] public double? OutputBound { get; init; }

    /// <summary>What every part of the state is before the first step, likewise: 0.</summary>
    [JsonPropertyName("initial_val")] public double InitialValue { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        if (ConvWidth is < 0 or > XLstmConfig.Largest)
            yield return $"'conv1d_kernel_size' is {ConvWidth}; it must be from 1 to {XLstmConfig.Largest}, or 0 for no convolution.";
        if (HeadCount < 1)
            yield return $"'num_heads' is {HeadCount}; it must be at least 1.";
        if (Function != "slstm")
            yield return $"'function' is \"{Function}\"; the only cell here is \"slstm\".";
        if (CutsRecurrentGradient)
            yield return "'gradient_recurrent_cut' is true; recurrent gradients are not cut here, so it must be false.";
        if (RecurrentGradientBound is not null)
            yield return $"'gradient_recurrent_clipval' is {RecurrentGradientBound}; recurrent gradients are not clipped here, so it must be null.";
        if (OutputBound is not null)
            yield return $"'forward_clipval' is {OutputBound}; y is not clipped here, so it must be null.";
        if (InitialValue != 0)
            yield return $"'initial_val' is {InitialValue}; the state starts empty here, so it must be 0.";
    }
}
