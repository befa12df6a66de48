namespace Zoo.MinRnn;

/// <summary>How a GRU or LSTM is computed.</summary>
public enum RnnImplementation
{
    /// <summary>By libtorch's own layer.</summary>
    Fused,

    /// <summary>By a loop over time in tensor operations.</summary>
    Loop,
}
