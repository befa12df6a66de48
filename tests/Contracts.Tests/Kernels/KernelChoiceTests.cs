using Zoo.Kernels;

namespace Zoo.Tests.Kernels;

public sealed class KernelChoiceTests
{
    [TestCase("auto", null, null)]
    [TestCase("cpu", "cpu", "cpu")]
    [TestCase("scan=cpu", "cpu", null)]
    [TestCase("scan=cpu,conv=reference", "cpu", "reference")]
    [TestCase("reference, scan = cpu", "cpu", "reference")]
    [TestCase("cuda,scan=auto", null, "cuda")]
    [TestCase("scan=cpu,reference", "cpu", "reference")]
    public void Parse_Choice_SaysTheBackendOfEachOp(string text, string? scan, string? conv)
    {
        var choice = KernelChoice.Parse(text);
        Assert.That((choice.For("scan"), choice.For("conv")), Is.EqualTo((scan, conv)));
        var again = KernelChoice.Parse(choice.ToString());
        Assert.That((again.For("scan"), again.For("conv")), Is.EqualTo((scan, conv)), "as the user would type it");
    }

    [TestCase("gpu", "--kernels gpu: there is no backend 'gpu'; it is auto, reference, cpu, cuda, or op=backend.")]
    [TestCase("scan=", "--kernels scan=: there is no backend ''; it is auto, reference, cpu, cuda, or op=backend.")]
    [TestCase("", "--kernels : there is no backend ''; it is auto, reference, cpu, cuda, or op=backend.")]
    [TestCase("cpu,", "--kernels cpu,: there is no backend ''; it is auto, reference, cpu, cuda, or op=backend.")]
    [TestCase("=cpu", "--kernels =cpu: '=cpu' names no op before its '='.")]
    [TestCase("cpu,cuda", "--kernels cpu,cuda: a backend for all ops is given twice.")]
    [TestCase("scan=cpu,scan=cuda", "--kernels scan=cpu,scan=cuda: 'scan' is given twice.")]
    public void Parse_NoChoice_SaysWhatIsPossible(string text, string sentence) =>
        Assert.That(() => KernelChoice.Parse(text), Throws.TypeOf<UserException>().With.Message.EqualTo(sentence));

    [Test]
    public void NamedOps_Choice_AreThoseNamedOneByOne() =>
        Assert.That(KernelChoice.Parse("cpu,scan=cuda,conv=auto").NamedOps, Is.EquivalentTo(new[] { "scan", "conv" }));
}
