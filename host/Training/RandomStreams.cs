namespace Zoo.Host.Training;

/// <summary>
/// Random numbers as functions of what they are for. What torch draws in a step depends on the run's seed and the step alone, so a
/// resumed run draws what the uninterrupted one would have drawn, on every device, and an evaluation in between changes nothing.
/// </summary>
internal static class RandomStreams
{
    private const ulong StepStream = 1;
    private const ulong OrderStream = 2;
    private const ulong ModelStream = 3;

    /// <summary>The seed of torch's generators at the start of a step.</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="stepsDone">How many steps came before.</param>
    public static long StepSeed(int seed, long stepsDone) => (long)(At(seed, StepStream, stepsDone) >> 1);

    /// <summary>What the model itself draws from.</summary>
    public static CounterRandom OfModel(int seed) => new(Key(seed, ModelStream));

    /// <summary>A permutation of 0 to <paramref name="count"/> - 1, a function of seed and pass.</summary>
    public static long[] Permutation(int seed, long pass, long count)
    {
        var random = new CounterRandom(At(seed, OrderStream, pass));
        var order = new long[count];
        for (var i = 0L; i < count; i++)
        {
            var j = (long)Math.BigMul(random.NextUInt64(), (ulong)(i + 1), out _);   // 0 to i
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }

    private static ulong At(int seed, ulong stream, long index) => new CounterRandom(Key(seed, stream)) { Counter = (ulong)index }.NextUInt64();

    private static ulong Key(int seed, ulong stream) => unchecked((uint)seed) | stream << 32;
}
