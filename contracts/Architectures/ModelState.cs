namespace Zoo.Architectures;

/// <summary>What a step form remembers between tokens. Dispose it to free its tensors.</summary>
public abstract class ModelState : IDisposable
{
    /// <summary>An independent copy: stepping one leaves the other as it is.</summary>
    public abstract ModelState Clone();

    /// <summary>Frees the tensors.</summary>
    public abstract void Dispose();
}
