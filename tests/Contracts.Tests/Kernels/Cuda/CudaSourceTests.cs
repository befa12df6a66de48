using Zoo.CudaEmulation;
using Zoo.Kernels.Cuda;

namespace Zoo.Tests.Kernels.Cuda;

public sealed class CudaSourceTests
{
    [TestCaseSource(nameof(EverySource))]
    public void Compile_EverySource_ForEveryKindOfCard(CudaSource source, string target) => CompiledSource.Require(source, target);

    [Test]
    public void All_Contracts_HasItsKernels() =>
        Assert.That(CudaSource.All(typeof(CudaSource).Assembly).Select(s => s.Name), Does.Contain("Kernels/LinearScan/LinearScan.cu"));

    [Test]
    public void Of_FileNameAlone_FindsIt() =>
        Assert.That(CudaSource.Of(typeof(CudaSource).Assembly, "LinearScan.cu").ToString(), Is.EqualTo("Kernels/LinearScan/LinearScan.cu of Zoo.Contracts"));

    [Test]
    public void Of_NoSuchFile_SaysWhatThereIs() =>
        Assert.That(() => CudaSource.Of(typeof(CudaSource).Assembly, "Scan.cu"), Throws.ArgumentException
            .With.Message.StartsWith("Zoo.Contracts embeds no 'Scan.cu'; it has: ").And.Message.Contains("Kernels/LinearScan/LinearScan.cu"));

    private static IEnumerable<TestCaseData> EverySource() => CompiledSource.All([typeof(CudaSource).Assembly, typeof(CudaSourceTests).Assembly]);
}
