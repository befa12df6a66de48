using System.Text.Json.Nodes;

namespace Zoo.XLstm;

/// <summary>The config of a checkpoint of xLSTM 7B for Hugging Face's library, in the original project's keys.</summary>
internal static class HuggingFaceConfig
{
    private const string Width = "hidden_size", Layers = "num_hidden_layers";

    /// <summary>Parts that a model may have and that are not here.</summary>
    private static readonly string[] NotHere = ["tie_word_embeddings", "add_qk_norm", "add_post_norm"];

    /// <summary>Says how it is run, was started or was saved, or repeats what other keys say.</summary>
    private static readonly HashSet<string> WithoutEffect =
    [
        "_name_or_path", "name_or_path", "add_embedding_dropout", "add_forward_backend_padding", "add_post_blocks_norm", "architectures", "bos_token_id",
        "cell_norm_eps", "dtype", "eos_token_id", "force_bos_token_insert", "forward_backend_name", "head_dim", "igate_bias_init_range",
        "max_inference_chunksize", "mlstm_round_up_to_multiple_of", "model_type", "pad_token_id", "torch_dtype", "transformers_version", "use_cache",
    ];

    public static bool IsOne(JsonObject values) => values.ContainsKey("model_type") || values.ContainsKey(Width);

    /// <exception cref="UserException">It asks for what this plugin has not.</exception>
    public static JsonObject Translate(JsonObject values)
    {
        foreach (var key in NotHere)
        {
            if (values[key] is { } given && given.ToJsonString() != "false")
                throw new UserException($"The config's '{key}' is {given.ToJsonString()}; the large xLSTM here has no such thing, so it must be false.");
        }
        var translated = new JsonObject();
        foreach (var (key, value) in values)
        {
            if (!WithoutEffect.Contains(key) && !NotHere.Contains(key) && key is not (Width or Layers))
                translated[key] = value?.DeepClone();   // unknown: the config's own check names it
        }
        TakeFirst("embedding_dim", Width);
        TakeFirst("num_blocks", Layers);
        translated.TryAdd("ffn_proj_factor", 2.667);    // that library's own default
        return translated;

        // The library takes either key, and fills one from the other.
        void TakeFirst(string ours, string theirs)
        {
            if (translated[ours] is not null || values[theirs] is not { } other)
                return;
            translated[ours] = other.DeepClone();
        }
    }
}
