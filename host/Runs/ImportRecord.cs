namespace Zoo.Host.Runs;

/// <summary>A run folder's import.json: what an imported checkpoint was, so that an export gives the same tensors under the same names.</summary>
internal sealed record ImportRecord
{
    /// <summary>Where it lay.</summary>
    public required string Source { get; init; }

    /// <summary>The checkpoint's tensors, in its order.</summary>
    public required IReadOnlyList<ImportedTensor> Tensors { get; init; }

    /// <summary>Further names of shared tensors, each with the model's own key for it.</summary>
    public required IReadOnlyDictionary<string, string> Shared { get; init; }

    /// <summary>Tensors that the model does not need and that were left behind.</summary>
    public required IReadOnlyList<string> Left { get; init; }

    /// <summary>The free text of its header.</summary>
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }

    /// <summary>A tensor of a published checkpoint.</summary>
    /// <param name="Name">Its name there.</param>
    /// <param name="Key">The model's key.</param>
    /// <param name="Transposed">Whether the model has it with its two axes exchanged.</param>
    internal sealed record ImportedTensor(string Name, string Key, bool Transposed);
}
