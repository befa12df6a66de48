using System.Runtime.InteropServices;

namespace Zoo.Mamba.Ops;

/// <summary>Aligned memory that a kernel needs while it runs.</summary>
internal sealed unsafe class Scratch : IDisposable
{
    /// <param name="count">How many numbers; they hold anything.</param>
    public Scratch(long count) => Pointer = (float*)NativeMemory.AlignedAlloc((nuint)Math.Max(1, count) * sizeof(float), 64);

    public float* Pointer { get; private set; }

    public void Dispose()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
    }
}
