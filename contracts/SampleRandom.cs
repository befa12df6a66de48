using System.Text;

namespace Zoo;

/// <summary>
/// The random numbers of one sample: a function of stream, seed and index alone, so that a sample depends neither on the samples before it
/// nor on threads or batches. Only integer arithmetic and exactly rounded operations, so that the numbers are the same on every machine.
/// </summary>
/// <remarks>
/// SplitMix64 (Steele, Lea and Flood 2014), started from the three. <see cref="CounterRandom"/> is the same for one long sequence.
/// </remarks>
/// <param name="stream">What is drawn: a generator's version, or <see cref="Stream"/> of a name and its version.</param>
/// <param name="seed">Which set. <see cref="TrainingSeed"/> and <see cref="HeldOutSeed"/> never meet.</param>
/// <param name="index">Number of the sample in it.</param>
public struct SampleRandom(ulong stream, ulong seed, ulong index)
{
    private const ulong Step = 0x9e3779b97f4a7c15;

    private ulong _state = Mix(index + Mix(seed + Mix(stream * Step)) * Step);

    /// <summary>A stream of its own for a generator's name and version.</summary>
    public static ulong Stream(string name, int version) => Mix(Hash(name) + (ulong)(uint)version * Step);

    /// <summary>The seed of a run's training samples: below 2³².</summary>
    public static ulong TrainingSeed(int runSeed) => unchecked((uint)runSeed);

    /// <summary>The seed of a held-out set: from 2³² on, so that no run trains on it.</summary>
    /// <param name="setName">The set's name; sets of other names have other samples.</param>
    public static ulong HeldOutSeed(string setName) => 1UL << 32 | (uint)Hash(setName);

    /// <summary>A number from 0 up to but without <paramref name="limit"/>; off from uniform by less than 2⁻³².</summary>
    public int Below(int limit) => (int)(((Next() >> 32) * (ulong)limit) >> 32);

    /// <summary>In [0, 1), in steps of 2⁻²⁴.</summary>
    public float Uniform() => (Next() >> 40) * (1f / (1 << 24));

    /// <summary>In [from, to).</summary>
    public float Uniform(float from, float to) => from + (to - from) * Uniform();

    /// <summary>
    /// Mean 0, variance 1, bell-shaped: the sum of four uniform numbers, so that no logarithm or cosine is needed; never beyond 3.5.
    /// </summary>
    public float Normal() => (Uniform() + Uniform() + Uniform() + Uniform() - 2f) * 1.7320508f;

    /// <summary>The next 64 bits.</summary>
    public ulong Next()
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

    /// <summary>FNV-1a; .NET's own hash of a text differs from process to process.</summary>
    private static ulong Hash(string text)
    {
        var hash = 0xcbf29ce484222325;
        foreach (var b in Encoding.UTF8.GetBytes(text))
            hash = (hash ^ b) * 0x100000001b3;
        return hash;
    }
}
