using System.Runtime.InteropServices;
using TorchSharp;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Host.Verification;

/// <summary>Names and shapes of a model's parameters without the memory for them: the model is built on torch's `meta` device.</summary>
/// <remarks>
/// TorchSharp's own `Embedding` and recurrent layers still fill their tables in memory before they move them; layers made of
/// `Linear`, `Conv1d`, `Conv2d`, norms and parameters from factory functions take nothing.
/// </remarks>
internal static class ParameterCounter
{
    /// <summary>The parameters in the order of the model.</summary>
    /// <exception cref="UserException">The model reads values while it is built, which this device has none of.</exception>
    public static IReadOnlyList<(string Name, long[] Shape)> Describe(
        IModelArchitecture architecture, ModelConfig config, KernelChoice kernels, OpCatalog ops)
    {
        var before = get_default_device();
        var meta = new Device(DeviceType.META);
        using var scope = NewDisposeScope();
        try
        {
            set_default_device(meta);
            using var model = architecture.CreateModel(config, new BuildContext { Device = meta, Kernels = kernels, Ops = ops });
            return [.. model.named_parameters().Select(p => (p.name, p.parameter.shape))];
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

    /// <summary>How many numbers that is.</summary>
    public static long Count(IEnumerable<(string Name, long[] Shape)> parameters) =>
        parameters.Sum(p => p.Shape.Aggregate(1L, (a, b) => a * b));
}
