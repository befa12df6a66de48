using System.Text.Json.Nodes;

namespace Zoo.Mamba;

/// <summary>The config of a "-hf" checkpoint, in the original project's keys. Its vocab_size counts the rows that pad.</summary>
internal static class HuggingFaceConfig
{
    private static readonly (string Theirs, string Ours)[] Top =
    [
        ("hidden_size", "d_model"), ("num_hidden_layers", "n_layer"), ("vocab_size", "vocab_size"), ("residual_in_fp32", "residual_in_fp32"),
        ("tie_word_embeddings", "tie_embeddings"),
    ];

    private static readonly (string Theirs, string Ours)[] OfMixer =
    [
        ("state_size", "d_state"), ("conv_kernel", "d_conv"), ("expand", "expand"), ("time_step_rank", "dt_rank"), ("time_step_min", "dt_min"),
        ("time_step_max", "dt_max"), ("time_step_init_scheme", "dt_init"), ("time_step_scale", "dt_scale"), ("time_step_floor", "dt_init_floor"),
        ("use_conv_bias", "conv_bias"), ("use_bias", "bias"),
    ];

    /// <summary>Says how it is run or was saved, or repeats what the shapes say.</summary>
    private static readonly HashSet<string> WithoutEffect =
    [
        "model_type", "architectures", "bos_token_id", "eos_token_id", "pad_token_id", "initializer_range", "rescale_prenorm_residual", "torch_dtype",
        "transformers_version", "use_cache", "use_mambapy", "intermediate_size", "d_inner", "fused_add_norm", "rms_norm", "ssm_cfg",
        "pad_vocab_size_multiple", "hidden_act", "layer_norm_epsilon", "norm_epsilon", "d_model", "n_layer", "dtype",
    ];

    public static bool IsOne(JsonObject values) => values.ContainsKey("hidden_size");

    /// <exception cref="UserException">It asks for what this plugin has not.</exception>
    public static JsonObject Translate(JsonObject values)
    {
        // Others have the same keys and other blocks: falcon_mamba normalises what x_proj gives.
        if (values["model_type"] is { } type && type.ToJsonString() != "\"mamba\"")
            throw new UserException($"The config's 'model_type' is {type.ToJsonString()}; this plugin has the blocks of \"mamba\" alone.");
        if (values["hidden_act"] is { } activation && activation.ToJsonString() != "\"silu\"")
            throw new UserException($"The config's 'hidden_act' is {activation.ToJsonString()}; Mamba here has \"silu\".");
        if (values["layer_norm_epsilon"] is { } epsilon && !(epsilon is JsonValue value && value.TryGetValue<double>(out var number) && (float)number == 1e-5f))
            throw new UserException($"The config's 'layer_norm_epsilon' is {epsilon.ToJsonString()}; Mamba here has 1e-5.");
        var mixer = new JsonObject();
        var translated = new JsonObject { ["ssm_cfg"] = mixer, ["rms_norm"] = true, ["pad_vocab_size_multiple"] = 1 };
        foreach (var (key, given) in values)
        {
            if (Top.FirstOrDefault(k => k.Theirs == key).Ours is { } ours)
                translated[ours] = given?.DeepClone();
            else if (OfMixer.FirstOrDefault(k => k.Theirs == key).Ours is { } inner)
                mixer[inner] = given?.DeepClone();
            else if (!WithoutEffect.Contains(key))
                translated[key] = given?.DeepClone();   // unknown: the config's own check names it
        }
        return translated;
    }
}
