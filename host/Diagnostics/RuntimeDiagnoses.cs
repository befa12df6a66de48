using System.Runtime.InteropServices;

namespace Zoo.Host.Diagnostics;

/// <summary>Zoo, .NET and the operating system.</summary>
internal static class RuntimeDiagnoses
{
    public static IEnumerable<Diagnosis> Examine()
    {
        var version = typeof(RuntimeDiagnoses).Assembly.GetName().Version!;
        yield return new Diagnosis("zoo", DiagnosisStatus.Ok, $"{version.ToString(3)} in {AppContext.BaseDirectory}");
        yield return new Diagnosis(".NET", DiagnosisStatus.Ok, $"{RuntimeInformation.FrameworkDescription} ({RuntimeInformation.RuntimeIdentifier})");
        var tested = OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64;
        yield return new Diagnosis("system", tested ? DiagnosisStatus.Ok : DiagnosisStatus.Hint, RuntimeInformation.OSDescription)
        {
            Hint = tested ? null : "Zoo is tested on Linux x64; here it builds, and nobody has tried the rest.",
        };
        if (OperatingSystem.IsLinux())
            yield return CLibrary();
    }

    private static Diagnosis CLibrary()
    {
        try
        {
            var version = Marshal.PtrToStringUTF8(GetCLibraryVersion()) ?? "";
            var old = Version.TryParse(version, out var parsed) && parsed < new Version(2, 34);
            return new Diagnosis("C library", old ? DiagnosisStatus.Hint : DiagnosisStatus.Ok, $"glibc {version}")
            {
                Hint = old ? "Zoo is tested with glibc 2.34 and later." : null,
            };
        }
        catch (EntryPointNotFoundException)
        {
            return new Diagnosis("C library", DiagnosisStatus.Hint, "not glibc") { Hint = "libtorch's Linux build needs glibc; musl is not enough." };
        }
    }

    [DllImport("libc", EntryPoint = "gnu_get_libc_version")]
    private static extern nint GetCLibraryVersion();
}
