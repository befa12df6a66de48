namespace Zoo.Architectures;

/// <summary>What a step form remembers between tokens. Dispose it to free its tensors.</summary>
/// <remarks>
/// Its tensors outlive the dispose scopes of the steps that change them: a step writes into them in place, or keeps a new one with
/// DetachFromDisposeScope and disposes the old one.
/// </remarks>
public abstract class ModelState : IDisposable
{
    /// <summary>An independent copy: stepping one leaves the other as it is.</summary>
    public abstract ModelState Clone();

    /// <summary>Frees the tensors.</summary>
    public abstract void Dispose();
}
