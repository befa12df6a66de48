namespace Zoo;

/// <summary>
/// Random numbers whose n-th value is a function of seed and n alone: the same on every platform and backend, and a checkpoint keeps two numbers.
/// </summary>
/// <remarks>The value at n is SplitMix64's output function (Steele, Lea and Flood 2014) of a Weyl sequence started at the mixed seed.</remarks>
/// <param name="seed">Which sequence.</param>
public sealed class CounterRandom(ulong seed)
{
    private const ulong Weyl = 0x9E3779B97F4A7C15;
    private readonly ulong _start = Mix(seed + Weyl);

    /// <summary>Which sequence.</summary>
    public ulong Seed { get; } = seed;

    /// <summary>How many values were drawn; may be set.</summary>
    public ulong Counter { get; set; }

    /// <summary>The next 64 bits.</summary>
    public ulong NextUInt64() => Mix(_start + Weyl * ++Counter);

    /// <summary>The next number in [0, 1), a multiple of 2^-24.</summary>
    public float NextSingle() => (NextUInt64() >> 40) * (1f / (1 << 24));

    /// <summary>The next number in [0, 1), a multiple of 2^-53.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1L << 53));

    /// <summary>The next whole number from <paramref name="first"/> up to but without <paramref name="end"/>; off from uniform by less than 2^-32.</summary>
    public int NextInt32(int first, int end) => first + (int)((NextUInt64() >> 32) * (ulong)(end - first) >> 32);

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
