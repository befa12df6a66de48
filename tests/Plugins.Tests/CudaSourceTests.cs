using System.Reflection;
using Zoo.CudaEmulation;
using Zoo.Kernels.Cuda;

namespace Zoo.Tests;

/// <summary>Every .cu file of every plugin compiles for every kind of card: found by what the assemblies embed.</summary>
public sealed class CudaSourceTests
{
    [TestCaseSource(nameof(EverySource))]
    public void Compile_EverySource_ForEveryKindOfCard(CudaSource source, string target) => CompiledSource.Require(source, target);

    [TestCaseSource(nameof(Plugins))]
    public void All_Plugin_EmbedsEveryFile(string plugin)
    {
        var folder = Path.Combine(Repository.Root, "plugins", plugin);
        var files = Directory.EnumerateFiles(folder, "*.cu", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(folder, f).Replace('\\', '/'))
            .Where(f => !f.StartsWith("bin/", StringComparison.Ordinal) && !f.StartsWith("obj/", StringComparison.Ordinal));
        Assert.That(CudaSource.All(Assembly.Load(plugin)).Select(s => s.Name), Is.EquivalentTo(files));
    }

    private static IEnumerable<string> Plugins() =>
        Directory.EnumerateDirectories(Path.Combine(Repository.Root, "plugins")).Select(d => Path.GetFileName(d))
            .Where(name => File.Exists(Path.Combine(Repository.Root, "plugins", name, name + ".csproj")));

    private static IEnumerable<TestCaseData> EverySource() => CompiledSource.All(Plugins().Select(p => Assembly.Load(p)));
}
