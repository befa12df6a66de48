namespace Zoo.MinRnn;

/// <summary>The recurrence of an LRU layer.</summary>
public enum LruRecurrence
{
    /// <summary>h_t = λ ⊙ h_{t-1} + exp(γ) ⊙ B u_t, complex and diagonal.</summary>
    ComplexDiagonal,

    /// <summary>h_t = A h_{t-1} + B u_t, real, with a full matrix: the linear network that the paper starts from (its table 1).</summary>
    DenseReal,
}
