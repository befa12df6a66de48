using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.Host.Benchmarks;

/// <summary>Times an op's cuda kernels on a card without libtorch: inputs lie in its memory, and the card's own clock counts.</summary>
internal static class CardBench
{
    /// <summary>Calls the kernels over and over.</summary>
    /// <param name="backward">Forward and backward together, instead of forward alone.</param>
    /// <exception cref="UserException">Another backend is named, which cannot run there, or the kernels do not take the inputs.</exception>
    public static Timing Run(Op op, NamedTensors inputs, OpOptions opOptions, bool backward, ICudaDevice card, BenchOptions options)
    {
        if (options.Kernels?.For(op.Name) is { } named && named != KernelChoice.Cuda)
            throw new UserException($"--kernels {options.Kernels}: libtorch has no CUDA here, so that '{named}' cannot run on {card.Name}; 'cuda' can.");
        using var call = new DeviceCall(op, inputs, opOptions, card, backward);
        var timing = new Timing();
        for (var run = -options.Warmup; run < options.Runs; run++)
        {
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
