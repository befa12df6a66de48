using System.Text.Json.Nodes;
using Zoo.Configuration;

namespace Zoo.SageAttention;

/// <summary>The config of Hugging Face's GPT-2 checkpoints in nanoGPT's keys, which is the same network but for GELU's form.</summary>
internal static class Gpt2Config
{
    private static readonly string[] Same = ["vocab_size", "n_layer", "n_head", "n_embd", "activation_function", .. TransformerArchitecture.OwnKeys];

    private static readonly string[] Dropouts = ["resid_pdrop", "embd_pdrop", "attn_pdrop"];

    /// <summary>What these say here is the only thing they may say.</summary>
    private static readonly Dictionary<string, string> Fixed = new(StringComparer.Ordinal)
    {
        ["model_type"] = "\"gpt2\"",
        ["scale_attn_weights"] = "true",
        ["scale_attn_by_inverse_layer_idx"] = "false",
        ["add_cross_attention"] = "false",
        ["tie_word_embeddings"] = "true",
    };

    /// <summary>Says how it is run or was trained, or belongs to other heads.</summary>
    private static readonly HashSet<string> WithoutEffect =
    [
        "architectures", "bos_token_id", "eos_token_id", "pad_token_id", "initializer_range", "n_ctx", "reorder_and_upcast_attn", "summary_activation",
        "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj", "task_specific_params", "torch_dtype", "dtype",
        "transformers_version", "use_cache", "_name_or_path",
    ];

    public static bool IsOne(JsonObject values) => values.ContainsKey("n_positions");

    /// <exception cref="ConfigException">It asks for what is not here.</exception>
    public static JsonObject Translate(JsonObject values, string subject)
    {
        var problems = new List<string>();
        var translated = new JsonObject { ["bias"] = true, ["activation_function"] = "gelu_new" };
        foreach (var (key, value) in values)
        {
            var text = value?.ToJsonString() ?? "null";
            if (key == "n_positions")
                translated["block_size"] = value?.DeepClone();
            else if (Same.Contains(key))
                translated[key] = value?.DeepClone();
            else if (Fixed.TryGetValue(key, out var only) ? text != only : key == "layer_norm_epsilon" && Number(value) is not 1e-5)
                problems.Add($"'{key}' is {text}; it must be {only ?? "1e-5"}.");
            else if (key == "n_inner" && value is not null && Number(value) != 4 * Number(values["n_embd"] ?? NanoGptConfig.Upstream.EmbeddingDim))
                problems.Add($"'n_inner' is {text}; it must be null or four times 'n_embd'.");
            else if (!Fixed.ContainsKey(key) && !WithoutEffect.Contains(key) && !Dropouts.Contains(key) && key is not ("layer_norm_epsilon" or "n_inner"))
                translated[key] = value?.DeepClone();       // unknown: the config's own check names it
        }
        var dropouts = Dropouts.Where(values.ContainsKey).Select(key => Number(values[key])).Distinct().ToList();
        if (dropouts.Count > 1)
            problems.Add($"{string.Join(", ", Dropouts.Select(key => $"'{key}'"))} differ; there is one dropout here.");
        else if (dropouts is [{ } share] && !translated.ContainsKey("dropout"))
            translated["dropout"] = share;
        return problems.Count == 0 ? translated : throw new ConfigException(subject, problems);
    }

    private static double? Number(JsonNode? node) => node is JsonValue value && value.TryGetValue<double>(out var number) ? number
        : node is JsonValue whole && whole.TryGetValue<int>(out var integer) ? integer : null;
}
