using static TorchSharp.torch;

namespace Zoo.XLstm.Model;

/// <summary>What a block remembers between tokens: some tensors in an order that its layer knows.</summary>
internal sealed class BlockState(params Tensor[] tensors) : IDisposable
{
    private Tensor[] _tensors = [.. tensors.Select(t => t.DetachFromDisposeScope())];

    public Tensor this[int index] => _tensors[index];

    /// <summary>Takes new tensors over from the present scope and frees the old ones.</summary>
    public void Replace(params Tensor[] tensors)
    {
        Dispose();
        _tensors = [.. tensors.Select(t => t.DetachFromDisposeScope())];
    }

    public BlockState Clone() => new([.. _tensors.Select(t => t.clone())]);

    public void Dispose()
    {
        foreach (var tensor in _tensors)
            tensor.Dispose();
    }
}
