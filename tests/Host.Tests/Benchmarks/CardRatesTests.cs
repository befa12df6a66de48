using System.Reflection;
using Zoo.CudaEmulation;
using Zoo.Host.Benchmarks;
using Zoo.Kernels.Cuda;

namespace Zoo.Tests.Benchmarks;

public sealed class CardRatesTests
{
    private const string NeverMeasured = "dram=3000,fp32=60000,bf16=600000,int8=1200000,exp=4000";

    [TestCaseSource(nameof(EverySource))]
    public void Compile_EverySource_ForEveryKindOfCard(CudaSource source, string target) => CompiledSource.Require(source, target);

    [Test]
    public void Parse_NothingGiven_MeasuresEveryRate()
    {
        EmulatedOp.Require();
        var rates = new CardRates(new CudaEmulator()) { CopiedBytes = 1 << 16, Rounds = 1 }.Parse(null);
        Assert.That(new[] { rates.Dram, rates.Fp32, rates.BFloat16, rates.Int8, rates.Exp }, Is.All.Positive.And.All.LessThan(double.PositiveInfinity));
    }

    [Test]
    public void Parse_AllGiven_TakesThem() =>
        Assert.That(new CardRates(new CudaEmulator()).Parse(NeverMeasured), Is.EqualTo(new MachineRates(3000, 60000, 600000, 1200000, 4000)));

    [Test]
    public void Parse_NoSuchRate_SaysSo() =>
        Assert.That(() => new CardRates(new CudaEmulator()).Parse("speed=3"), Throws.TypeOf<UserException>()
            .With.Message.EqualTo("--rates speed=3: 'speed' is no rate; there are dram, fp32, bf16, int8, exp."));

    private static IEnumerable<TestCaseData> EverySource() => CompiledSource.All([Assembly.Load("zoo")]);
}
