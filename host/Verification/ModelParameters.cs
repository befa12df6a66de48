using Zoo.Architectures;

namespace Zoo.Host.Verification;

/// <summary>A model's parameters and buffers, with their gradients, under the original project's names.</summary>
internal static class ModelParameters
{
    /// <summary>Every name that a checkpoint holds, with the model's tensor; tied names share one.</summary>
    public static NamedTensors ByUpstreamName(Model model)
    {
        var byName = new NamedTensors();
        foreach (var (key, tensor) in model.state_dict())
        {
            byName[key] = tensor;
            foreach (var tied in model.TiedKeys(key))
                byName.TryAdd(tied, tensor);
        }
        return byName;
    }
}
