using TorchSharp;

namespace Zoo;

/// <summary>Tensors by name, in the order they were added. Owns nothing: whoever made the tensors disposes them.</summary>
public sealed class NamedTensors : Dictionary<string, torch.Tensor>
{
    /// <summary>An empty set.</summary>
    public NamedTensors() : base(StringComparer.Ordinal)
    {
    }

    /// <summary>A copy of <paramref name="items"/>; the tensors are shared.</summary>
    public NamedTensors(IEnumerable<KeyValuePair<string, torch.Tensor>> items) : base(items, StringComparer.Ordinal)
    {
    }

    /// <summary>The tensor of that name, or null.</summary>
    public torch.Tensor? Find(string name) => TryGetValue(name, out var tensor) ? tensor : null;
}
