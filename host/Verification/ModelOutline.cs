using System.Runtime.InteropServices;
using TorchSharp;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Host.Verification;

/// <summary>What can be said of a model without the memory for it: it is built on torch's `meta` device, whose tensors have no storage.</summary>
/// <remarks>
/// TorchSharp's own `Embedding` and recurrent layers still fill their tables in memory before they move them; layers made of
/// `Linear`, `Conv1d`, `Conv2d`, norms and parameters from factory functions take nothing.
/// </remarks>
/// <param name="Parameters">Names and shapes, in the order of the model.</param>
/// <param name="FusedStepName">Name of the kernel that runs whole training steps; null where there is none.</param>
internal sealed record ModelOutline(IReadOnlyList<(string Name, long[] Shape)> Parameters, string? FusedStepName)
{
    /// <summary>How many numbers the parameters are.</summary>
    public long ParameterCount { get; } = Parameters.Sum(p => p.Shape.Aggregate(1L, (a, b) => a * b));

    /// <summary>The longest sequence that a model over tokens takes; null where there is no bound.</summary>
    public int? MaximumLength { get; init; }

    /// <summary>The outline of a config's model.</summary>
    /// <exception cref="UserException">The model reads values while it is built, and this device has none.</exception>
    public static ModelOutline Of(IModelArchitecture architecture, ModelConfig config, OpCatalog ops)
    {
        using var scope = NewDisposeScope();
        using var model = Build(architecture, config, ops);
        return new ModelOutline([.. model.named_parameters().Select(p => (p.name, p.parameter.shape))], (model as IFusedTraining)?.FusedStepName)
        {
            MaximumLength = (model as TokenModel)?.MaximumLength,
        };
    }

    /// <summary>A config's model without storage: names, shapes and types only. The caller disposes it.</summary>
    /// <param name="architecture">The plugin's object.</param>
    /// <param name="config">The config.</param>
    /// <param name="ops">Ops of every installed plugin.</param>
    /// <param name="packed">Whether in its packed form.</param>
    /// <exception cref="UserException">As <see cref="Of"/>.</exception>
    public static Model Build(IModelArchitecture architecture, ModelConfig config, OpCatalog ops, bool packed = false)
    {
        var before = get_default_device();
        var meta = new Device(DeviceType.META);
        try
        {
            set_default_device(meta);
            return architecture.CreateModel(config, new BuildContext { Device = meta, Ops = ops, Packed = packed });
        }
        catch (ExternalException e)
        {
            throw new UserException(
                $"{architecture.Info.Name} cannot be built without storage: {e.Message.Split('\n')[0].TrimEnd('.')}. " +
                "Its constructor reads a tensor's values; compute them from the config instead.", e);
        }
        finally
        {
            set_default_device(before);
        }
    }
}
