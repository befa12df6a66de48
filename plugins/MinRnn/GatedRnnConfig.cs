using System.Text.Json.Serialization;

namespace Zoo.MinRnn;

/// <summary>A GRU or LSTM in the blocks of a minGRU, to compare with.</summary>
public abstract record GatedRnnConfig : MinLmConfig
{
    /// <summary>By libtorch's own layer, or by a loop in tensor operations.</summary>
    [JsonPropertyName("implementation")] public RnnImplementation Implementation { get; init; } = RnnImplementation.Fused;

    /// <summary>Whether it is an LSTM.</summary>
    [JsonIgnore] public abstract bool IsLstm { get; }
}
