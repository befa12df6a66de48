namespace Zoo.Kernels;

/// <summary>What an op gave, and which backend ran.</summary>
/// <param name="Outputs">Tensors by output name; the caller owns them.</param>
/// <param name="Backend">"reference", "cpu" or "cuda".</param>
public sealed record OpResult(NamedTensors Outputs, string Backend);
