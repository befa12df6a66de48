using Zoo.Kernels.Cuda;

namespace Zoo.Host.Diagnostics;

/// <summary>NVIDIA's driver, its run-time compiler, and where compiled kernels are kept. None is needed: without them everything runs on the CPU.</summary>
internal static class CudaDiagnoses
{
    public static IEnumerable<Diagnosis> Examine() => [Driver(), Nvrtc(), Cache()];

    private static Diagnosis Driver()
    {
        const string part = "CUDA driver";
        var (version, driverWhy) = CudaDevices.DriverVersion();
        var words = version is null ? "" : $"for CUDA {version}";
        if (CudaDevices.WhyNone() is { } why)
        {
            return version is null
                ? new Diagnosis(part, DiagnosisStatus.Missing, driverWhy ?? why) { Hint = "Only needed for --device cuda: install NVIDIA's driver where there is an NVIDIA card." }
                : new Diagnosis(part, DiagnosisStatus.Hint, $"{words}: {why}") { Hint = "`nvidia-smi` says more. In a container, the card must be passed in." };
        }
        try
        {
            var cards = Enumerable.Range(0, int.MaxValue).TakeWhile(i => CudaDevices.WhyNone(i) is null).Select(i => CudaDevices.Open(i)).ToList();
            return new Diagnosis(part, DiagnosisStatus.Ok, $"{words}: {string.Join(", ", cards.Select(c => $"{c.Name}, sm_{c.Architecture}"))}");
        }
        catch (EnvironmentException e)
        {
            return new Diagnosis(part, DiagnosisStatus.Hint, $"{words}. {e.Message}") { Hint = "`nvidia-smi` says more." };
        }
    }

    private static Diagnosis Nvrtc()
    {
        const string part = "NVRTC";
        var compiler = CudaCompiler.Shared;
        if (compiler.WhyNone is not { } why)
            return new Diagnosis(part, DiagnosisStatus.Ok, compiler.Description["NVRTC ".Length..]);
        var named = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(CudaCompiler.Variable));
        return new Diagnosis(part, named ? DiagnosisStatus.Hint : DiagnosisStatus.Missing, why)
        {
            Hint = $"Only needed to compile kernels for --device cuda: install CUDA's NVRTC, or set {CudaCompiler.Variable} to its file or folder.",
        };
    }

    private static Diagnosis Cache()
    {
        const string part = "CUDA cache";
        try
        {
            var (folder, count, bytes) = CudaCompiler.Cache();
            return new Diagnosis(part, DiagnosisStatus.Ok, count == 0 ? $"no compiled kernels yet, in {folder}" : $"{count} compiled kernels in {folder}, {bytes / 1e6:F1} MB");
        }
        catch (EnvironmentException e)
        {
            return new Diagnosis(part, DiagnosisStatus.Hint, e.Message) { Hint = "Only needed for --device cuda." };
        }
    }
}
