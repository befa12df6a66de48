using System.Runtime.Intrinsics;

namespace Zoo.Kernels.Cpu;

/// <summary>Which vector width this process uses.</summary>
/// <remarks>`DOTNET_EnableAVX512=0` leaves 256 bits, `DOTNET_EnableAVX2=0` 128; so are the narrow paths tested.</remarks>
public static class Simd
{
    /// <summary>Bits of the widest vector the machine has: 512, 256 or 128.</summary>
    public static int Bits { get; } = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;

    /// <summary>Runs a kernel at this process's width.</summary>
    /// <typeparam name="K">The kernel, a struct with its arguments.</typeparam>
    public static void Run<K>(in K kernel)
        where K : struct, ISimdKernel
    {
        if (Vector512.IsHardwareAccelerated)
            kernel.Run<Lanes512>();
        else if (Vector256.IsHardwareAccelerated)
            kernel.Run<Lanes256>();
        else
            kernel.Run<Lanes128>();
    }
}
