using Zoo.Kernels.Cuda;

namespace Zoo.Host.Benchmarks;

/// <summary>
/// Measures what a card can do at most, by kernels that do one thing each (CardRates.cu). Products are those of `mma.sync`, which Zoo's kernels
/// use; Hopper's `wgmma` goes beyond them.
/// </summary>
/// <param name="card">The card.</param>
internal sealed class CardRates(ICudaDevice card)
{
    private const int Trials = 5;
    private const int Threads = 256;
    private const int BlocksOfMultiprocessor = 8;
    private const int Chains = 8;
    private const int VectorBytes = 16;
    private const double FlopsOfMultiplyAdd = 2;
    private const double OperationsOfBf16 = 2.0 * 16 * 8 * 16, OperationsOfInt8 = 2.0 * 16 * 8 * 32;   // of a warp's product

    /// <summary>Bytes that are copied, far beyond any cache.</summary>
    public long CopiedBytes { get; init; } = 512L << 20;

    /// <summary>Steps of every chain of arithmetic.</summary>
    public int Rounds { get; init; } = 4096;

    /// <summary>Those of `--rates` that were given; the others are measured.</summary>
    /// <exception cref="UserException">A name or number is wrong.</exception>
    public MachineRates Parse(string? text)
    {
        var given = MachineRates.Given(text);
        using var launcher = new CudaLauncher(card, CudaSource.Of(typeof(CardRates).Assembly, "CardRates.cu"), "the card's rates");
        var unused = launcher.Scratch(Chains);
        int blocks = card.MultiprocessorCount * BlocksOfMultiprocessor;
        double steps = (double)blocks * Threads * Chains * Rounds, warpSteps = steps / 32;
        return new MachineRates(
            Rate("dram", () => Copy(launcher, blocks)),
            Rate("fp32", () => Best(steps * FlopsOfMultiplyAdd, () => launcher.Launch("rates_fp32", blocks, Threads, 0, unused, Rounds, 0.5f))),
            Rate("bf16", () => Best(warpSteps * OperationsOfBf16, () => launcher.Launch("rates_bf16", blocks, Threads, 0, unused, Rounds))),
            Rate("int8", () => Best(warpSteps * OperationsOfInt8, () => launcher.Launch("rates_int8", blocks, Threads, 0, unused, Rounds))),
            Rate("exp", () => Best(steps, () => launcher.Launch("rates_exp", blocks, Threads, 0, unused, Rounds))));

        double Rate(string name, Func<double> measure) => given.TryGetValue(name, out var rate) ? rate : measure();
    }

    /// <summary>Bytes read and bytes written both count.</summary>
    private double Copy(CudaLauncher launcher, int blocks)
    {
        var (from, to) = (launcher.Scratch(CopiedBytes, 1), launcher.Scratch(CopiedBytes, 1));
        launcher.Clear(from);
        return Best(2.0 * CopiedBytes, () => launcher.Launch("rates_copy", blocks, Threads, 0, from, to, CopiedBytes / VectorBytes));
    }

    /// <summary>Units in billions a second, of the best trial.</summary>
    private double Best(double units, Action work)
    {
        card.Time(work);
        var least = double.PositiveInfinity;
        for (var i = 0; i < Trials; i++)
            least = Math.Min(least, card.Time(work));
        return units / least * 1e-6;
    }
}
