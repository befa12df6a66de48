using System.Runtime.InteropServices;

namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>Host memory for the length of a call, given out from the front.</summary>
internal sealed unsafe class Scratch(long count) : IDisposable
{
    private readonly float* _memory = (float*)NativeMemory.AlignedAlloc((nuint)(Math.Max(1, count) * sizeof(float)), 64);
    private long _taken;

    /// <summary>The next <paramref name="wanted"/> numbers; they hold anything.</summary>
    public float* Take(long wanted)
    {
        var from = _memory + _taken;
        _taken += wanted;
        return _taken <= count ? from : throw new InvalidOperationException($"{_taken} numbers were taken of {count}.");
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);
}
