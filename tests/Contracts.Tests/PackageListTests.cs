using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Zoo.Native;

namespace Zoo.Tests;

/// <summary>Which packages a restore would ask for, as MSBuild evaluates them: nothing is restored or downloaded.</summary>
public sealed class PackageListTests
{
    private static string Platform =>
        OperatingSystem.IsWindows() ? "win-x64" : OperatingSystem.IsMacOS() ? "osx-arm64" : "linux-x64";

    private static string Repository { get; } = FindRepository();

    private static IEnumerable<string> Projects =>
        Directory.EnumerateFiles(Repository, "*.csproj", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Repository, path).Replace('\\', '/'))
            .Where(path => path.StartsWith("host/", StringComparison.Ordinal) || path == "tests/Contracts.Tests/Contracts.Tests.csproj");

    [TestCaseSource(nameof(Projects))]
    public void PackageReference_ByDefault_IsThisPlatformsLibTorchWithoutCuda(string project)
    {
        var packages = Evaluate(project, cuda: false, "PackageReference");
        Assert.That(packages.Keys.Where(IsNative), Is.EqualTo(new[] { $"libtorch-cpu-{Platform}" }));
        Assert.That(packages, Does.ContainKey("TorchSharp"));
        Assert.That(Evaluate(project, cuda: false, "PackageVersion")[$"libtorch-cpu-{Platform}"], Is.EqualTo(LibTorch.ExpectedVersion));
    }

    [TestCaseSource(nameof(Projects))]
    public void PackageReference_WithZooCuda_IsTorchSharpsCudaPackageOfTheSameVersion(string project)
    {
        var packages = Evaluate(project, cuda: true, "PackageReference");
        Assert.That(packages.Keys.Where(IsNative), Is.EqualTo(new[] { "TorchSharp-cuda-linux" }));
        var versions = Evaluate(project, cuda: true, "PackageVersion");
        Assert.That(versions["TorchSharp-cuda-linux"], Is.EqualTo(versions["TorchSharp"]));
        Assert.That(versions["TorchSharp"], Is.EqualTo($"[{LibTorch.TorchSharpVersion}]"));
    }

    /// <summary>Packages that bring libtorch, which is large.</summary>
    private static bool IsNative(string package) =>
        package.StartsWith("libtorch", StringComparison.OrdinalIgnoreCase) || package.StartsWith("TorchSharp-", StringComparison.OrdinalIgnoreCase);

    /// <summary>The items of a project by name, with their version where they have one.</summary>
    private static Dictionary<string, string?> Evaluate(string project, bool cuda, string item)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            WorkingDirectory = Repository,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList = { "msbuild", project, $"-getItem:{item}", $"-p:ZooCuda={(cuda ? "true" : "false")}", "-nologo" },
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, text + errors.Result);
        return JsonNode.Parse(text)!["Items"]![item]!.AsArray()
            .ToDictionary(i => i!["Identity"]!.GetValue<string>(), i => i!["Version"]?.GetValue<string>());
    }

    private static string FindRepository([CallerFilePath] string here = "")
    {
        for (var folder = Path.GetDirectoryName(here); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Directory.Packages.props")))
                return folder;
        }
        throw new InvalidOperationException($"{here} lies in no clone of the repository.");
    }
}
