namespace Zoo.Tests.Benchmarks;

/// <summary>`zoo bench` as users run it.</summary>
public sealed class BenchCommandTests
{
    private const string Rates = "dram=20,fp32=100,bf16=200,int8=400,exp=5";

    [Test]
    public void Bench_ModelWithAFusedStep_TimesTensorPathBesideIt()
    {
        var outcome = ZooProcess.Run(["bench", "lenet1989", "--mode", "train", "--batch-size", "1", "--runs", "3", "--warmup", "1", "--json", "--quiet"]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        Assert.That(outcome.Records, Has.Count.EqualTo(2));
        var (kernel, tensors) = (outcome.Records[0], outcome.Records[1]);
        Assert.That(kernel["backends"]!.ToJsonString(), Is.EqualTo("{\"lenet1989_step\":\"cpu\"}"));
        Assert.That(tensors["backends"]!["lenet1989_net"]!.GetValue<string>(), Is.EqualTo("reference"));
        foreach (var record in outcome.Records)
        {
            Assert.That(record.Select(p => p.Key), Is.SupersetOf(new[]
            {
                "kind", "model", "mode", "backends", "params", "threads", "dtype", "batch", "time", "tokens_per_second", "cpu_tokens_per_second",
                "late_over_early", "peak_memory_bytes", "memory_before_bytes", "runs",
            }));
            Assert.That(record["params"]!.GetValue<long>(), Is.EqualTo(9760));
            Assert.That(record["cpu_tokens_per_second"]!.GetValue<double>(), Is.Positive);
            Assert.That(record["peak_memory_bytes"]!.GetValue<long>(), Is.GreaterThan(record["memory_before_bytes"]!.GetValue<long>()));
        }
    }

    [TestCase("forward")]
    [TestCase("backward")]
    public void Bench_Op_HasALineABackend(string pass)
    {
        var outcome = ZooProcess.Run(
            ["bench", "--op", "lenet1989_net", "--shape", "B=4", "--pass", pass, "--runs", "6", "--warmup", "1", "--rates", Rates, "--json", "--quiet"]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        Assert.That(outcome.Records.Select(r => r["backend"]!.GetValue<string>()), Is.EqualTo(["cpu", "reference"]));
        Assert.That(outcome.Records.Select(r => r["runs"]!.GetValue<int>()), Is.All.EqualTo(3), "6 calls in all");
        foreach (var record in outcome.Records)
        {
            Assert.That(record["pass"]!.GetValue<string>(), Is.EqualTo(pass));
            Assert.That(record["cpu_ms_min"]!.GetValue<double>(), Is.InRange(record["floor_ms"]!.GetValue<double>(), record["cpu_ms_median"]!.GetValue<double>()));
        }
    }

    [TestCase(Rates, false)]
    [TestCase("dram=20,fp32=100,exp=5", false)]
    [TestCase("dram=20,fp32=100", true)]
    public void Bench_RatesGiven_OnlyTheOthersAreMeasured(string rates, bool measures)
    {
        var outcome = ZooProcess.Run(
            ["bench", "--op", "lenet1989_net", "--shape", "B=4", "--pass", "forward", "--runs", "1", "--warmup", "0", "--kernels", "reference", "--rates", rates, "--json"]);
        Assert.That(outcome.Error.Contains("Measuring the machine's rates…", StringComparison.Ordinal), Is.EqualTo(measures));
        Assert.That(outcome.Error, Does.Contain("A thread: dram 20.0 GB/s (given), fp32 100 GFLOP/s (given), ").And.Contain(measures ? " G/s (measured)" : "exp 5.0 G/s (given)"));
    }

    [Test]
    public void Bench_OneBackendNamed_TimesItAlone()
    {
        var outcome = ZooProcess.Run(
            ["bench", "--op", "lenet1989_net", "--shape", "B=4", "--pass", "forward", "--runs", "6", "--kernels", "reference", "--rates", Rates, "--json", "--quiet"]);
        Assert.That(outcome.Records.Select(r => (r["backend"]!.GetValue<string>(), r["runs"]!.GetValue<int>())), Is.EqualTo([("reference", 6)]));
    }

    [TestCase("bench", "Say what to time: `zoo bench MODEL`, or `zoo bench --op NAME`. `zoo list` shows the models.")]
    [TestCase("bench lenet1989 --mode decode", "--mode decode: lenet1989 is no model over tokens; it has --mode train.")]
    [TestCase("bench lenet1989 --mode trian", "--mode trian: it must be one of train, prefill, decode. Did you mean 'train'?")]
    [TestCase("bench lenet1989 --shape B=4", "--shape is for timing an op: add --op NAME.")]
    [TestCase("bench --op lenet1989_net --preset modern", "--preset is for timing a model, not an op.")]
    [TestCase("bench --op lenet1989_nett", "No installed plugin has an op named 'lenet1989_nett'. Did you mean 'lenet1989_net'?")]
    [TestCase("bench --op lenet1989_net", "lenet1989_net also needs the size of B: --shape B=….")]
    [TestCase("bench --op lenet1989_net --shape B=2,Q=3", "--shape B=2,Q=3: lenet1989_net has no axis 'Q'; it has B.")]
    [TestCase("bench --op lenet1989_net --shape B=x", "--shape B=x: 'B=x' must be LETTER=SIZE, such as B=4.")]
    [TestCase("bench --op lenet1989_net --shape B=0", "--shape B=0: 'B=0' leaves nothing to time; a size is at least 1.")]
    [TestCase("bench --op lenet1989_net --shape B=2,B=3", "--shape B=2,B=3: 'B' is named twice.")]
    [TestCase("bench lenet1989 --op lenet1989_net", "'lenet1989' is a model and --op lenet1989_net an op: time one at a time, and leave the other out.")]
    [TestCase("bench --op lenet1989_net --shape B=2 --rates dram=1,fp32=1,exp=1 --set kpt=true",
        "--set kpt: lenet1989_net has no option or optional argument 'kpt'; it has relu, tanh_outputs, hidden_border, kept. Did you mean 'kept'?")]
    [TestCase("bench --op lenet1989_prepare --shape B=2 --rates dram=1,fp32=1,exp=1 --kernels lenet1989_prepare=cuda",
        "--kernels lenet1989_prepare=cuda: lenet1989_prepare has no 'cuda' backend; it has reference.")]
    public void Bench_BadInput_SaysWhatAndEndsWithTwo(string command, string sentence)
    {
        var outcome = ZooProcess.Run(command.Split(' ').Append("--quiet"));
        Assert.That(outcome.Error.Trim(), Is.EqualTo(sentence));
        Assert.That(outcome.ExitCode, Is.EqualTo(2));
    }

    /// <summary>libtorch ends the process where random numbers that it is asked for do not fit into memory.</summary>
    [TestCase("B=1000000000000")]
    [TestCase("B=9000000000000000000")]
    public void Bench_InputsBeyondMemory_SaysHowMuchAndEndsWithThree(string shape)
    {
        var outcome = ZooProcess.Run(["bench", "--op", "lenet1989_net", "--shape", shape, "--rates", Rates, "--quiet"]);
        Assert.That(outcome.Error.Trim(), Does.Match($@"^The inputs of lenet1989_net \({shape}\) are [\d,.]+ GB, and this machine has [\d,.]+ GB of memory\. Lower --shape\.$"));
        Assert.That(outcome.ExitCode, Is.EqualTo(3));
    }
}
