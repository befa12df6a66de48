using System.Reflection;
using NUnit.Framework;
using Zoo.Kernels.Cuda;

namespace Zoo.CudaEmulation;

/// <summary>Compiles .cu files with the compiler that a user's machine would use, for every kind of card that Zoo supports. Needs no card.</summary>
public static class CompiledSource
{
    /// <summary>The kinds of cards.</summary>
    public static IReadOnlyList<string> Targets { get; } = ["sm_80", "sm_89", "sm_90", "sm_90a"];

    /// <summary>Every .cu file of some assemblies, for each kind of card.</summary>
    public static IEnumerable<TestCaseData> All(IEnumerable<Assembly> assemblies) =>
        from assembly in assemblies
        from source in CudaSource.All(assembly)
        from target in Targets
        select new TestCaseData(source, target).SetArgDisplayNames(source.Name, target);

    /// <summary>Requires that it has no PTX of its own, which belongs into zoo.cuh beside a twin, and that it compiles. Skips the test where NVRTC is not here.</summary>
    public static void Require(CudaSource source, string target)
    {
        Assert.That(source.Text, Does.Not.Match(@"\basm\b"), $"PTX in {source}: its place is zoo.cuh");
        if (CudaCompiler.Shared.WhyNone is { } why)
            Assert.Ignore($"{why}.");
        var (image, resources) = CudaCompiler.Shared.CompileAndReport(source, target);
        TestContext.Out.WriteLine(resources);
        Assert.That(image.AsSpan(1, 3).SequenceEqual("ELF"u8), Is.True, "machine code");
    }
}
