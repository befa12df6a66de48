using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Tasks;

namespace Zoo.MinRnn;

/// <summary>The two forms that this plugin's architectures have: a vocabulary makes a language model, widths of vectors the other one.</summary>
internal static class Forms
{
    /// <summary>The key of the vocabulary, for all of them.</summary>
    public const string VocabKey = "num_tokens";

    /// <summary>What is wrong with the choice of a form.</summary>
    public static IEnumerable<string> Problems(int? vocab, params (string Key, int? Value)[] vectors)
    {
        if (vocab is < 1 or > 1 << 24)
            yield return $"'{VocabKey}' is {vocab}; it must be from 1 to {1 << 24}.";
        foreach (var (key, value) in vectors)
        {
            if (value is < 1 or > 1 << 20)
                yield return $"'{key}' is {value}; it must be from 1 to {1 << 20}.";
            if (vocab is not null && value is not null)
                yield return $"'{VocabKey}' and '{key}' are both set; a vocabulary makes a language model, and '{key}' is for vectors. Set {VocabKey}=null for vectors.";
            if (vocab is null && value is null)
                yield return $"'{key}' is missing; without '{VocabKey}' the model takes vectors.";
        }
    }

    /// <summary>What a task implies.</summary>
    public static JsonObject ImpliedBy(TaskShape shape, string inputKey, string classKey) => shape.Kind == ModelKind.TokenModel
        ? new JsonObject { [VocabKey] = shape.VocabSize, [inputKey] = null, [classKey] = null }
        : new JsonObject { [VocabKey] = null, [inputKey] = shape.InputDim, [classKey] = shape.ClassCount };
}
