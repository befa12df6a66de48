using Zoo.Host.Benchmarks;
using Zoo.Kernels;

namespace Zoo.Tests.Benchmarks;

public sealed class MachineRatesTests
{
    private const string All = "dram=20,fp32=100,bf16=200,int8=400,exp=5";

    [TestCase(20e9, 1e9, 0, "fp32", 1000, TestName = "bytes bind")]
    [TestCase(1e9, 100e9, 5e9, "fp32", 2000, TestName = "flops and exponentials bind, added up")]
    [TestCase(0, 200e9, 0, "bf16", 1000, TestName = "bf16 has its own rate")]
    [TestCase(0, 200e9, 0, "int8", 500, TestName = "int8 has its own rate")]
    public void FloorMilliseconds_GivenRates_IsTheLargerOfBytesAndArithmetic(double bytes, double flops, double exponentials, string arithmetic, double expected) =>
        Assert.That(
            MachineRates.Parse(All).FloorMilliseconds(new OpCost(bytes, flops, exponentials) { Arithmetic = arithmetic }),
            Is.EqualTo(expected).Within(1e-9));

    [Test]
    public void Parse_NothingGiven_MeasuresRatesOfARealMachine()
    {
        var rates = MachineRates.Parse(null);
        Assert.That(rates.Dram, Is.InRange(0.5, 2000));
        Assert.That(rates.Fp32, Is.InRange(1, 2000));
        Assert.That(rates.Exp, Is.InRange(0.05, 200));
    }

    [Test]
    public void Describe_SomeGiven_TellsWhereEachComesFrom()
    {
        var rates = new MachineRates(20.04, 100, 200, 500, 5);
        Assert.That(rates.Describe(new HashSet<string> { "dram", "int8" }, measuresProducts: false), Is.EqualTo(
            "dram 20.0 GB/s (given), fp32 100 GFLOP/s (measured), bf16 200 GFLOP/s (2 × fp32), int8 500 GOP/s (given), exp 5.0 G/s (measured)"));
        Assert.That(rates.Describe(new HashSet<string>(), measuresProducts: true), Does.Contain("bf16 200 GFLOP/s (measured), int8 500 GOP/s (measured)"));
    }

    [TestCase("dram=20,speed=3", "--rates dram=20,speed=3: 'speed' is no rate; there are dram, fp32, bf16, int8, exp.")]
    [TestCase("dram=fast", "--rates dram=fast: 'dram=fast' must be dram=NUMBER, in GB/s, GFLOP/s, GOP/s or G/s.")]
    [TestCase("fp32=-1", "--rates fp32=-1: 'fp32=-1' must be fp32=NUMBER, in GB/s, GFLOP/s, GOP/s or G/s.")]
    [TestCase("exp=0", "--rates exp=0: 'exp=0' must be exp=NUMBER, in GB/s, GFLOP/s, GOP/s or G/s.")]
    public void Parse_Malformed_SaysWhichPart(string text, string expected) =>
        Assert.That(() => MachineRates.Parse(text), Throws.TypeOf<UserException>().With.Message.EqualTo(expected));

    [TestCase(new double[] { 3, 1, 2 }, 2)]
    [TestCase(new double[] { 4, 1, 3, 2 }, 2.5)]
    [TestCase(new double[] { 7 }, 7)]
    public void Median_OddAndEvenCounts_IsTheMiddle(double[] values, double expected) => Assert.That(Timing.Median(values), Is.EqualTo(expected));
}
