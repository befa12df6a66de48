namespace Zoo.Host.Training;

/// <summary>
/// Random numbers as functions of what they are for. A step's numbers depend on the run's seed and the step alone, so a resumed run
/// draws what the uninterrupted one would have drawn, on every device, and an evaluation in between changes nothing.
/// </summary>
internal static class RandomStreams
{
    private const ulong StepStream = 0x53746570;
    private const ulong OrderStream = 0x4F726465;

    /// <summary>The seed of torch's generators at the start of a step.</summary>
    public static long StepSeed(int seed, long step) => (long)(Hash(seed, StepStream, step) >> 1);

    /// <summary>A permutation of 0 to <paramref name="count"/> - 1, a function of seed and pass.</summary>
    public static long[] Permutation(int seed, long pass, long count)
    {
        var state = Hash(seed, OrderStream, pass);
        var order = new long[count];
        for (var i = 0L; i < count; i++)
        {
            var j = Below(ref state, i + 1);   // Fisher and Yates, inside out
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }

    private static ulong Hash(int seed, ulong stream, long index)
    {
        var state = Mix(unchecked((uint)seed) ^ stream << 32);
        return Mix(state + unchecked((ulong)index) * 0x9E3779B97F4A7C15);
    }

    /// <summary>A whole number from 0 to <paramref name="bound"/> - 1, without bias worth naming: the bound is far below 2^64.</summary>
    private static long Below(ref ulong state, long bound)
    {
        state += 0x9E3779B97F4A7C15;
        return (long)Math.BigMul(Mix(state), (ulong)bound, out _);
    }

    /// <summary>SplitMix64's output function (Steele, Lea and Flood 2014).</summary>
    private static ulong Mix(ulong z)
    {
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }
}
