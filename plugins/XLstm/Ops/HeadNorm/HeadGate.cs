namespace Zoo.XLstm.Ops.HeadNorm;

/// <summary>What a gate goes through before it multiplies.</summary>
public enum HeadGate
{
    /// <summary>g · σ(g).</summary>
    Silu,

    /// <summary>σ(g).</summary>
    Sigmoid,
}
