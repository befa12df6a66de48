namespace Zoo.Data;

/// <summary>
/// The generator's random numbers: SplitMix64 (Steele, Lea and Flood 2014), started from version, seed and index. Only integer arithmetic
/// and exactly rounded operations, so that the numbers are the same on every machine.
/// </summary>
internal struct DigitRandom(ulong version, ulong seed, ulong index)
{
    private const ulong Step = 0x9e3779b97f4a7c15;

    private ulong _state = Mix(index + Mix(seed + Mix(version * Step)) * Step);

    /// <summary>A number below <paramref name="limit"/>.</summary>
    public int Below(int limit) => (int)(((Next() >> 32) * (ulong)limit) >> 32);

    /// <summary>In [0, 1), in steps of 2⁻²⁴.</summary>
    public float Uniform() => (Next() >> 40) * (1f / (1 << 24));

    /// <summary>In [from, to).</summary>
    public float Uniform(float from, float to) => from + (to - from) * Uniform();

    /// <summary>
    /// Mean 0, variance 1, bell-shaped: the sum of four uniform numbers, so that no logarithm or cosine is needed; never beyond 3.5.
    /// </summary>
    public float Normal() => (Uniform() + Uniform() + Uniform() + Uniform() - 2f) * 1.7320508f;

    private ulong Next()
    {
        _state += Step;
        return Mix(_state);
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}
