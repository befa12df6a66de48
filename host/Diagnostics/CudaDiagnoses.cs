using System.Runtime.InteropServices;
using System.Text;

namespace Zoo.Host.Diagnostics;

/// <summary>NVIDIA's driver and its run-time compiler. Neither is needed: without them everything runs on the CPU.</summary>
internal static class CudaDiagnoses
{
    private const string NvrtcVariable = "ZOO_NVRTC";

    public static IEnumerable<Diagnosis> Examine() => [Driver(), Nvrtc()];

    private static unsafe Diagnosis Driver()
    {
        const string part = "CUDA driver";
        var name = OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";
        if (!NativeLibrary.TryLoad(name, out var library))
        {
            return new Diagnosis(part, DiagnosisStatus.Missing, $"no {name}")
            {
                Hint = "Only needed for --device cuda: install NVIDIA's driver where there is an NVIDIA card.",
            };
        }
        if (!TryExport(library, "cuInit", out var init) || !TryExport(library, "cuDriverGetVersion", out var getVersion)
            || !TryExport(library, "cuDeviceGetCount", out var getCount) || !TryExport(library, "cuDeviceGetName", out var getName))
        {
            return new Diagnosis(part, DiagnosisStatus.Hint, $"{name} is there and is not NVIDIA's driver") { Hint = "Install NVIDIA's driver again." };
        }
        int version, count;
        var result = ((delegate* unmanaged[Cdecl]<int*, int>)getVersion)(&version);
        var words = result == 0 ? $"for CUDA {version / 1000}.{version % 1000 / 10}" : "of an unknown version";
        result = ((delegate* unmanaged[Cdecl]<uint, int>)init)(0);
        if (result != 0 || ((delegate* unmanaged[Cdecl]<int*, int>)getCount)(&count) != 0 || count == 0)
        {
            return new Diagnosis(part, DiagnosisStatus.Hint, $"{words}, and no card that it can use{(result == 0 ? "" : $" (cuInit gave {result})")}")
            {
                Hint = "`nvidia-smi` says more. In a container, the card must be passed in.",
            };
        }
        var cards = Enumerable.Range(0, count).Select(i => CardName(getName, i));
        return new Diagnosis(part, DiagnosisStatus.Ok, $"{words}: {string.Join(", ", cards)}");
    }

    private static unsafe string CardName(nint getName, int device)
    {
        const int length = 256;
        var text = stackalloc byte[length];
        return ((delegate* unmanaged[Cdecl]<byte*, int, int, int>)getName)(text, length, device) == 0
            ? Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text))
            : $"card {device}";
    }

    private static unsafe Diagnosis Nvrtc()
    {
        const string part = "NVRTC";
        var named = Environment.GetEnvironmentVariable(NvrtcVariable);
        var candidates = NvrtcCandidates(named).ToList();
        foreach (var candidate in candidates)
        {
            if (!NativeLibrary.TryLoad(candidate, out var library) || !TryExport(library, "nvrtcVersion", out var getVersion))
                continue;
            int major, minor;
            return ((delegate* unmanaged[Cdecl]<int*, int*, int>)getVersion)(&major, &minor) == 0
                ? new Diagnosis(part, DiagnosisStatus.Ok, $"{major}.{minor}, from {candidate}")
                : new Diagnosis(part, DiagnosisStatus.Hint, $"{candidate} does not say its version") { Hint = "Install NVRTC again." };
        }
        var sought = string.IsNullOrEmpty(named) ? string.Join(", ", candidates) : $"{NvrtcVariable} is '{named}', and no NVRTC loads from there";
        return new Diagnosis(part, string.IsNullOrEmpty(named) ? DiagnosisStatus.Missing : DiagnosisStatus.Hint, string.IsNullOrEmpty(named) ? $"none of {sought}" : sought)
        {
            Hint = $"Only needed to compile kernels for --device cuda: install CUDA's NVRTC, or set {NvrtcVariable} to its folder.",
        };
    }

    private static IEnumerable<string> NvrtcCandidates(string? named)
    {
        string[] names = OperatingSystem.IsWindows()
            ? ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll", "nvrtc64_112_0.dll"]
            : ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"];
        if (string.IsNullOrEmpty(named))
            return names;
        return Directory.Exists(named) ? names.Select(n => Path.Combine(Path.GetFullPath(named), n)) : [Path.GetFullPath(named)];
    }

    private static bool TryExport(nint library, string name, out nint address) => NativeLibrary.TryGetExport(library, name, out address);
}
