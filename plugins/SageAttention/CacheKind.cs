using System.Text.Json.Serialization;

namespace Zoo.SageAttention;

/// <summary>How keys and values are kept for decoding.</summary>
public enum CacheKind
{
    /// <summary>As float32.</summary>
    [JsonStringEnumMemberName("float32")] Float32,

    /// <summary>As INT8 with a scale a token and head, and attended to as they are.</summary>
    [JsonStringEnumMemberName("int8")] Int8,
}
