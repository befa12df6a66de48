using TorchSharp;
using Zoo.Architectures;
using Zoo.Host.Configuration;
using Zoo.Host.Diagnostics;
using Zoo.Kernels;
using Zoo.Training;

namespace Zoo.Host.Training;

/// <summary>Builds the model of a plan, the same for the same seed.</summary>
internal static class ModelFactory
{
    /// <summary>Work of a batch, parameters × tokens, below which a second thread costs more than it brings.</summary>
    /// <remarks>
    /// The operations of a small batch are shorter than the hand-over between threads. Measured with 9,760 parameters on two cores, ms a step
    /// with one thread and with two: batch 1 0.50 and 0.64, 64 3.4 and 4.1, 256 9.2 and 10.2, 1,024 57 and 43.
    /// </remarks>
    private const double SingleThreadWork = 1 << 22;

    /// <summary>Builds it, initialised from the seed, on the device.</summary>
    /// <exception cref="UserException">The config cannot be built here, or a backend was named for an op that does not exist.</exception>
    /// <exception cref="EnvironmentException">Memory does not hold the model.</exception>
    public static Model Build(
        Catalog catalog, RunPlan plan, int seed, torch.Device device, KernelChoice kernels, torch.ScalarType dtype) =>
        Build(catalog, plan.Installed, plan.Config, seed, device, kernels, dtype);

    /// <inheritdoc cref="Build(Catalog, RunPlan, int, torch.Device, KernelChoice, torch.ScalarType)"/>
    public static Model Build(
        Catalog catalog, InstalledArchitecture installed, ModelConfig config, int seed, torch.Device device, KernelChoice kernels,
        torch.ScalarType dtype, bool packed = false)
    {
        if (dtype == torch.ScalarType.BFloat16 && !packed && !installed.Info.Abilities.HasFlag(ModelAbilities.BFloat16))
            throw new UserException($"--dtype bf16: {installed.Info.Name} does not compute in bfloat16; use --dtype fp32.");
        torch.manual_seed(seed);
        var model = Create(installed, config, new BuildContext
        {
            Device = device,
            Dtype = dtype,
            Packed = packed,
            Kernels = kernels,
            Ops = catalog.Ops,
        });
        var fused = (model as IFusedTraining)?.FusedStepName;
        var unknown = kernels.NamedOps.FirstOrDefault(op => op != fused && catalog.Ops.Find(op) is null);
        if (unknown is not null)
        {
            model.Dispose();
            var known = catalog.Ops.All.Select(op => op.Name).Concat(fused is null ? [] : [fused]).ToList();
            throw new UserException($"--kernels {kernels}: no installed plugin has an op named '{unknown}'.{Names.DidYouMean(unknown, known)}");
        }
        return device.type == DeviceType.CPU ? model : (Model)model.to(device);
    }

    private static Model Create(InstalledArchitecture installed, ModelConfig config, BuildContext context)
    {
        try
        {
            MemoryBound.Set(context.Device);
            var model = installed.Architecture.CreateModel(config, context);
            if (model is TokenModel tokens)
                tokens.IsCausal = installed.Info.Abilities.HasFlag(ModelAbilities.Causal);
            return model;
        }
        catch (Exception e) when (MemoryShortage.Caused(e))
        {
            throw MemoryShortage.Error($"building {installed.Info.Name}", "Take a smaller --preset or smaller sizes; `zoo show` counts a config's parameters.", e);
        }
        finally
        {
            MemoryBound.Lift();     // weights may be read next
        }
    }

    /// <summary>How many numbers the model has.</summary>
    public static long ParameterCount(Model model) => model.parameters().Sum(p => p.numel());

    /// <summary>How many threads suit a training when the user does not say.</summary>
    /// <param name="parameterCount">Parameters of the model.</param>
    /// <param name="tokens">Tokens of a batch; a sample counts as one where there are none.</param>
    /// <param name="available">What libtorch would take.</param>
    public static int DefaultThreads(long parameterCount, long tokens, int available) =>
        (double)parameterCount * tokens < SingleThreadWork ? 1 : available;
}
