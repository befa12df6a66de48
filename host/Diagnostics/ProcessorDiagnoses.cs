using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Zoo.Kernels.Cpu;

namespace Zoo.Host.Diagnostics;

/// <summary>What the processor can do, as .NET exposes it.</summary>
internal static class ProcessorDiagnoses
{
    public static IEnumerable<Diagnosis> Examine()
    {
        yield return new Diagnosis("processor", DiagnosisStatus.Ok,
            $"{Name()}, {Counted.Of(Environment.ProcessorCount, "core")} for Zoo");
        var here = Instructions().Where(i => i.IsHere).Select(i => i.Name).ToList();
        var width = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 0;
        yield return new Diagnosis("vectors", width >= 256 ? DiagnosisStatus.Ok : DiagnosisStatus.Hint,
            width == 0 ? "no vector instructions" : $"{width} bits: {string.Join(", ", here)}")
        {
            Hint = width >= 256 || RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? null
                : "Without AVX2 the cpu backend of every op is several times slower.",
        };
        yield return new Diagnosis("bfloat16", DiagnosisStatus.Ok, ProcessorAbilities.MultipliesBFloat16
            ? "the processor multiplies it: --dtype bf16 is faster than fp32"
            : "the processor does not multiply it: --dtype bf16 rounds to it and multiplies in float32, no faster than fp32");
        var untested = Untested().Where(i => i.IsHere).Select(i => i.Name).ToList();
        if (untested.Count > 0)
        {
            yield return new Diagnosis("untested", DiagnosisStatus.Hint, string.Join(", ", untested))
            {
                Hint = "This processor has instructions that Zoo was never tried with; nothing uses them.",
            };
        }
    }

    private static IEnumerable<(string Name, bool IsHere)> Instructions() =>
    [
        ("SSE4.2", Sse42.IsSupported), ("AVX", Avx.IsSupported), ("AVX2", Avx2.IsSupported), ("FMA", Fma.IsSupported),
        ("AVX-512 F", Avx512F.IsSupported), ("AVX-512 BW", Avx512BW.IsSupported), ("AVX-512 DQ", Avx512DQ.IsSupported),
        ("AVX-512 CD", Avx512CD.IsSupported), ("AVX-512 VBMI", Avx512Vbmi.IsSupported),
        ("AdvSimd", AdvSimd.IsSupported), ("Dp", Dp.IsSupported),
    ];

    private static IEnumerable<(string Name, bool IsHere)> Untested() =>
    [
        ("AVX-VNNI", AvxVnni.IsSupported), ("AVX10.1", Avx10v1.IsSupported && !Avx512F.IsSupported), ("AVX10.2", Avx10v2.IsSupported),
    ];

    private static string Name()
    {
        const string file = "/proc/cpuinfo";
        var line = File.Exists(file) ? File.ReadLines(file).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?[(line.IndexOf(':') + 1)..].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
