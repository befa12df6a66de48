using System.Runtime.Intrinsics;

namespace Zoo.Kernels.Cpu;

/// <summary>Which vector width this process uses.</summary>
/// <remarks>
/// `DOTNET_EnableAVX512=0` leaves 256 bits, `DOTNET_EnableAVX2=0` 128; so are the narrow paths tested. `ZOO_VECTOR_BITS=512` takes the wide path
/// on a machine that has no such vectors: the runtime puts them together from narrower ones, which is slow and right, and good for tests alone.
/// </remarks>
public static class Simd
{
    private static readonly bool IsWideForced = Environment.GetEnvironmentVariable("ZOO_VECTOR_BITS") == "512";

    /// <summary>Bits of the widest vector the machine has, or the forced width: 512, 256 or 128.</summary>
    public static int Bits { get; } = Vector512.IsHardwareAccelerated || IsWideForced ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;

    /// <summary>Runs a kernel at this process's width.</summary>
    /// <typeparam name="K">The kernel, a struct with its arguments.</typeparam>
    public static void Run<K>(in K kernel)
        where K : struct, ISimdKernel
    {
        if (Vector512.IsHardwareAccelerated || IsWideForced)
            kernel.Run<Lanes512>();
        else if (Vector256.IsHardwareAccelerated)
            kernel.Run<Lanes256>();
        else
            kernel.Run<Lanes128>();
    }
}
