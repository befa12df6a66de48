using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.Host.Benchmarks;

/// <summary>Times an op's cuda kernels without libtorch: inputs lie in the card's memory, and the card's own clock counts.</summary>
internal static class CardBench
{
    /// <summary>Whether the op has cuda kernels, and no other backend is named.</summary>
    public static bool IsWanted(Op op, KernelChoice? named) =>
        op.Kernels.Any(k => k.Backend == KernelChoice.Cuda) && named?.For(op.Name) is null or KernelChoice.Cuda;

    /// <summary>Calls the kernels over and over.</summary>
    /// <param name="backward">Forward and backward together, instead of forward alone.</param>
    /// <exception cref="UserException">Another backend is named, which cannot run there, or the kernels do not take the inputs.</exception>
    public static Timing Run(Op op, NamedTensors inputs, OpOptions opOptions, bool backward, ICudaDevice card, BenchOptions options)
    {
        if (options.Kernels?.For(op.Name) is { } named && named != KernelChoice.Cuda)
            throw new UserException($"--kernels {options.Kernels}: libtorch has no CUDA here, so that '{named}' cannot run on {card.Name}; 'cuda' can.");
        var onHost = new NamedTensors(inputs.Select(i => KeyValuePair.Create(i.Key, i.Value.cpu())));
        using var call = new DeviceCall(op, onHost, opOptions, card, backward);
        var timing = new Timing();
        for (var run = -options.Warmup; run < (options.Runs ?? BenchOptions.UsualRuns); run++)
        {
            options.Cancellation.ThrowIfCancellationRequested();
            var cpu = CpuClock.Seconds;
            var milliseconds = card.Time(() =>
            {
                call.Forward();
                if (backward)
                    call.Backward();
            });
            if (run >= 0)
                timing.Add(milliseconds * 1e-3, CpuClock.Seconds - cpu);
        }
        return timing;
    }
}
