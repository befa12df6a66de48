using System.Runtime.Intrinsics.X86;

namespace Zoo.Kernels.Cpu;

/// <summary>What the processor can do that .NET does not say.</summary>
public static class ProcessorAbilities
{
    private const int Features = 7;                 // CPUID leaf of extended features
    private const int Avx512BFloat16Bit = 1 << 5;   // subleaf 1, EAX
    private const int AmxBFloat16Bit = 1 << 22;     // subleaf 0, EDX

    /// <summary>
    /// Whether it multiplies bfloat16 numbers itself (AVX-512 BF16 or AMX), so that libtorch's products of them are faster than float32's. On
    /// others libtorch has a loop for them that is ten times slower than float32.
    /// </summary>
    public static bool MultipliesBFloat16 { get; } = FindBFloat16();

    private static bool FindBFloat16()
    {
        if (!X86Base.IsSupported || !Avx512F.IsSupported || X86Base.CpuId(0, 0).Eax < Features)
            return false;
        var (mostSubleaf, _, _, edx) = X86Base.CpuId(Features, 0);
        return (edx & AmxBFloat16Bit) != 0 || (mostSubleaf >= 1 && (X86Base.CpuId(Features, 1).Eax & Avx512BFloat16Bit) != 0);
    }
}
