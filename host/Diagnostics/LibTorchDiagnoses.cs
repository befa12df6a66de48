using System.Text;
using System.Text.RegularExpressions;
using Zoo.Native;

namespace Zoo.Host.Diagnostics;

/// <summary>libtorch, TorchSharp's native library and the C++ runtime that both need.</summary>
internal static partial class LibTorchDiagnoses
{
    public static IEnumerable<Diagnosis> Examine()
    {
        LibTorchReport? report = null;
        Diagnosis? failure = null;
        try
        {
            report = LibTorch.Load();
        }
        catch (Exception e) when (e is DllNotFoundException or EnvironmentException or IOException or UnauthorizedAccessException)
        {
            failure = new Diagnosis("libtorch", DiagnosisStatus.Missing, e.Message)
            {
                Needed = true,
                Hint = $"Build Zoo again with network access, or set {LibTorch.DirectoryVariable} to a folder with libtorch {LibTorch.ExpectedVersion}.",
            };
        }
        if (failure is not null)
        {
            yield return failure;
        }
        else
        {
            yield return Loaded(report!);
            yield return new Diagnosis("TorchSharp", DiagnosisStatus.Ok, report!.Patched
                ? $"{LibTorch.TorchSharpVersion}, from {report.LibTorchSharpPath}: a private copy that asks for an older C++ runtime than the original"
                : $"{LibTorch.TorchSharpVersion}, from {report.LibTorchSharpPath}, as it was shipped");
        }
        if (OperatingSystem.IsLinux())
            yield return CppRuntime();
    }

    private static Diagnosis Loaded(LibTorchReport report)
    {
        var named = Environment.GetEnvironmentVariable(LibTorch.DirectoryVariable) is { Length: > 0 };
        var version = BuildVersion(report.Directory);
        var build = report.HasCuda ? "with CUDA" : "CPU only";
        var other = version is not null && version != LibTorch.ExpectedVersion;
        return new Diagnosis(
            "libtorch", other ? DiagnosisStatus.Hint : DiagnosisStatus.Ok,
            $"{version ?? "unknown version"}, {build}, from {report.Directory}{(named ? $" ({LibTorch.DirectoryVariable})" : "")}")
        {
            Needed = true,
            Hint = other ? $"TorchSharp {LibTorch.TorchSharpVersion} was built for libtorch {LibTorch.ExpectedVersion}; another version may fail anywhere." : null,
        };
    }

    /// <summary>The version that libtorch's folder tells: a package's path, or the version file of a Python installation.</summary>
    private static string? BuildVersion(string directory)
    {
        foreach (var part in directory.Split(Path.DirectorySeparatorChar).Reverse())
        {
            if (VersionPattern().IsMatch(part))
                return part;
        }
        var versionFile = Path.Combine(directory, "..", "version.py");
        if (File.Exists(versionFile) && QuotedVersionPattern().Match(File.ReadAllText(versionFile)) is { Success: true } match)
            return match.Groups[1].Value;
        return null;
    }

    private static Diagnosis CppRuntime()
    {
        const string part = "C++ runtime";
        if (LoadedLibrary("libstdc++.so.6") is not { } path)
        {
            return new Diagnosis(part, DiagnosisStatus.Missing, "libstdc++.so.6 is not loaded, so libtorch is not either")
            {
                Hint = "Install it: `apt-get install libstdc++6` on Debian and Ubuntu.",
            };
        }
        var newest = GlibcxxPattern().Matches(Encoding.Latin1.GetString(File.ReadAllBytes(path)))
            .Select(m => Version.Parse(m.Groups[1].Value)).DefaultIfEmpty().Max();
        return new Diagnosis(part, DiagnosisStatus.Ok, newest is null ? $"{path}, which names no GLIBCXX version" : $"{path}, up to GLIBCXX_{newest}");
    }

    /// <summary>Where this process has a library from.</summary>
    private static string? LoadedLibrary(string name) => File.ReadLines("/proc/self/maps")
        .Select(line => line.IndexOf('/') is >= 0 and var at ? line[at..] : "")
        .FirstOrDefault(path => Path.GetFileName(path).StartsWith(name, StringComparison.Ordinal));

    [GeneratedRegex(@"^\d+\.\d+\.\d+$")]
    private static partial Regex VersionPattern();

    [GeneratedRegex(@"__version__\s*=\s*'([0-9.]+)")]
    private static partial Regex QuotedVersionPattern();

    [GeneratedRegex(@"GLIBCXX_(3\.4\.\d+)")]
    private static partial Regex GlibcxxPattern();
}
