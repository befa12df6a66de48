namespace Zoo.Architectures;

/// <summary>Which of a model's tensors one of a published checkpoint is.</summary>
/// <param name="Key">The model's own key.</param>
public sealed record UpstreamTensor(string Key)
{
    /// <summary>Whether the checkpoint has the matrix with its two axes exchanged.</summary>
    public bool Transposed { get; init; }
}
