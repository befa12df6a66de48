using System.Runtime.InteropServices;

namespace Zoo.Kernels.Cpu;

/// <summary>Memory that a kernel needs while it runs, given out from the front in parts that begin at a cache line. Not for several threads at once.</summary>
public sealed unsafe class Scratch : IDisposable
{
    private const int LineBytes = 64;
    private const int LineFloats = LineBytes / sizeof(float);

    private readonly float* _memory;
    private readonly long _size;
    private long _taken;

    /// <summary>Gets the memory; it holds anything.</summary>
    /// <param name="count">Numbers of float32 in all parts together.</param>
    /// <param name="parts">In how many parts they are taken, at most.</param>
    /// <exception cref="OutOfMemoryException">There is not so much.</exception>
    public Scratch(long count, int parts = 1)
    {
        _size = count + (long)parts * LineFloats;
        _memory = (float*)NativeMemory.AlignedAlloc(checked((nuint)_size * sizeof(float)), LineBytes);
    }

    /// <summary>Where it begins: all of it as one part.</summary>
    public float* Start => _memory;

    /// <summary>The next part.</summary>
    /// <param name="count">Its numbers.</param>
    /// <exception cref="InvalidOperationException">More is taken than was asked for.</exception>
    public float* Take(long count)
    {
        var start = _taken;
        _taken += (count + LineFloats - 1) / LineFloats * LineFloats;
        return _taken <= _size ? _memory + start : throw new InvalidOperationException($"A kernel took {_taken} numbers of scratch memory and asked for {_size}.");
    }

    /// <summary>Frees it.</summary>
    public void Dispose() => NativeMemory.AlignedFree(_memory);
}
