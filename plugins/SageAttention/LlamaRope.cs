using System.Text.Json.Nodes;
using Zoo.Configuration;

namespace Zoo.SageAttention;

/// <summary>What Hugging Face's configs of Llama say of rotary positions, in the ways that its versions have written it.</summary>
internal static class LlamaRope
{
    /// <summary>The scaling; the first versions call its type "type".</summary>
    public const string ScalingKey = "rope_scaling";

    /// <summary>θ and the scaling in one object, since version 5.</summary>
    public const string ParametersKey = "rope_parameters";

    private const string ThetaKey = "rope_theta";

    private static readonly string[] NoScaling = ["\"default\"", "\"dynamic\""];     // "dynamic" begins where max_position_embeddings ends

    /// <summary>The config with <see cref="RopeScaling"/>'s keys.</summary>
    /// <exception cref="ConfigException">Both ways are there and say something.</exception>
    public static JsonObject Read(JsonObject values, string subject)
    {
        var read = new JsonObject(values.Where(v => v.Key != ParametersKey).Select(v => KeyValuePair.Create(v.Key, v.Value?.DeepClone())));
        if (values[ParametersKey] is JsonObject parameters)
        {
            if (values[ScalingKey] is not null)
                throw new ConfigException(subject, [$"It has '{ParametersKey}' and '{ScalingKey}'; one of them says it all."]);
            var scaling = (JsonObject)parameters.DeepClone();
            if (scaling.Remove(ThetaKey, out var theta) && !values.ContainsKey(ThetaKey))
                read[ThetaKey] = theta;
            read[ScalingKey] = scaling.Count == 0 ? null : scaling;
        }
        else if (values[ParametersKey] is { } other)
        {
            throw new ConfigException(subject, [$"'{ParametersKey}' is {other.ToJsonString()}; it must be an object."]);
        }
        if (read[ScalingKey] is JsonObject given)
        {
            if (given.Remove("type", out var type))
                given.TryAdd(RopeScaling.TypeKey, type);
            if (given[RopeScaling.TypeKey] is { } name && NoScaling.Contains(name.ToJsonString()))
                read[ScalingKey] = null;
        }
        return read;
    }

    /// <summary>The scaling as Hugging Face's loader has it: without what its type does not know.</summary>
    public static JsonObject Written(JsonObject scaling) =>
        new(scaling.Where(v => v.Value is not null).Select(v => KeyValuePair.Create(v.Key, v.Value?.DeepClone())));
}
