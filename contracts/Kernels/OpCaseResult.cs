namespace Zoo.Kernels;

/// <summary>What an op gave on a recorded case.</summary>
/// <param name="Outputs">Tensors by the names that the case's outputs have; each is compared with the recorded one.</param>
public sealed record OpCaseResult(NamedTensors Outputs)
{
    /// <summary>Bars of the case, beyond its outputs, that the op missed: a sentence each.</summary>
    public IReadOnlyList<string> Problems { get; init; } = [];
}
