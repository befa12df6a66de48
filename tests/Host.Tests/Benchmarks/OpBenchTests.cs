using System.Text;
using Zoo.Host.Benchmarks;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Benchmarks;

public sealed class OpBenchTests
{
    /// <summary>Each contestant runs several times before the next one does, and all equally often.</summary>
    [TestCase(14, "rrrrr bbbbb rr bb")]
    [TestCase(3, "r b")]
    public void Run_SeveralContestants_TakeTurnsOfSeveralCalls(int runs, string expected)
    {
        var (calls, records) = Run(warmup: 0, runs);
        Assert.That(calls, Is.EqualTo(expected.Replace(" ", "")));
        Assert.That(records, Is.EqualTo(new[] { ("reference", runs / 2), ("other", runs / 2) }));
    }

    [Test]
    public void Run_ShortCalls_AreWarmedUpLongerThanAsked()
    {
        var (calls, records) = Run(warmup: 2, runs: 4);
        Assert.That(calls, Does.Match("^r{5,}b{5,}$"), "more than the 2 asked for and the 2 timed, which follow at once");
        Assert.That(records, Is.EqualTo(new[] { ("reference", 2), ("other", 2) }));
    }

    private static (string Calls, IEnumerable<(string?, int?)> Records) Run(int warmup, int runs)
    {
        var op = new Noted();
        var options = new BenchOptions { Runs = runs, Warmup = warmup, Threads = 1, Device = CPU };
        var records = OpBench.Run(op, new Dictionary<string, long> { ["B"] = 2 }, [], backward: false, null, options);
        return (op.Calls, records.Select(r => ((string?)r["backend"], (int?)r["runs"])));
    }

    /// <summary>Writes down who was called.</summary>
    private sealed class Noted : Op
    {
        private readonly StringBuilder _calls = new();

        public string Calls => _calls.ToString();

        public override string Name => "noted";

        public override string Title => "An op that writes down who was called";

        public override IReadOnlyList<OpArgument> Arguments { get; } = [new("x", "B")];

        public override IReadOnlyList<string> Outputs { get; } = ["y"];

        public override IReadOnlyList<OpBaseline> Baselines => [new("other", (inputs, _) => Answer('b', inputs))];

        public override OpCost Floor(OpCall call, bool backward) => new(Bytes: 0, Flops: 0);

        protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => Answer('r', inputs);

        private NamedTensors Answer(char who, NamedTensors inputs)
        {
            _calls.Append(who);
            return new() { ["y"] = inputs["x"].clone() };
        }
    }
}
