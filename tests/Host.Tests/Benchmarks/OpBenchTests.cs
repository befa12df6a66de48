using System.Text;
using Zoo.Host.Benchmarks;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Benchmarks;

public sealed class OpBenchTests
{
    /// <summary>Short calls fill a turn; after a long one it is the next contestant's turn. All are called as often as the user said.</summary>
    [TestCase(14, 0, "rrrrrrr bbbbbbb")]
    [TestCase(5, 60, "r b r b")]
    [TestCase(1, 0, "r b")]
    public void Run_NumberOfRuns_IsSharedAndTakenInTurns(int runs, int millisecondsOfCall, string expected)
    {
        var (calls, records) = Run(warmup: 0, runs, millisecondsOfCall);
        Assert.That(calls, Is.EqualTo(expected.Replace(" ", "")));
        Assert.That(records, Is.EqualTo(new[] { ("reference", expected.Count(c => c == 'r')), ("other", expected.Count(c => c == 'b')) }));
    }

    [Test]
    public void Run_NoNumberOfRuns_FillsTheTurnsOfShortCallsAndMakesOneLongCallATurn()
    {
        var (calls, _) = Run(warmup: 0, runs: null);
        Assert.That(calls, Does.Match("^(r{5,}b{5,}){10}$"), "20 turns in all");
        Assert.That(Run(warmup: 0, runs: null, millisecondsOfCall: 60).Calls, Does.Match("^(rb){10}$"));
    }

    [Test]
    public void Run_ShortCalls_AreWarmedUpLongerThanAsked()
    {
        var (calls, records) = Run(warmup: 2, runs: 4);
        Assert.That(calls, Does.Match("^r{5,}b{5,}rrbb$"), "more than the 2 asked for, before the timed ones");
        Assert.That(records, Is.EqualTo(new[] { ("reference", 2), ("other", 2) }));
    }

    [Test]
    public void Run_KernelThatFailsInItsBackward_ThrowsInsteadOfTimingIt()
    {
        var options = new BenchOptions { Runs = 2, Warmup = 0, Threads = 1, Device = CPU };
        Assert.That(() => OpBench.Run(new FailsInBackward(), new Dictionary<string, long> { ["B"] = 2 }, [], backward: true, null, options),
            Throws.TypeOf<NotImplementedException>());
    }

    private static (string Calls, IEnumerable<(string?, int?)> Records) Run(int warmup, int? runs, int millisecondsOfCall = 0)
    {
        var op = new Noted(millisecondsOfCall);
        var options = new BenchOptions { Runs = runs, Warmup = warmup, Threads = 1, Device = CPU };
        var records = OpBench.Run(op, new Dictionary<string, long> { ["B"] = 2 }, [], backward: false, null, options);
        return (op.Calls, records.Select(r => ((string?)r["backend"], (int?)r["runs"])));
    }

    /// <summary>Writes down who was called.</summary>
    private sealed class Noted(int millisecondsOfCall) : Op
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
            Thread.Sleep(millisecondsOfCall);
            return new() { ["y"] = inputs["x"].clone() };
        }
    }

    private sealed class FailsInBackward : Op
    {
        public override string Name => "fails_in_backward";

        public override string Title => "An op whose kernel has no backward";

        public override IReadOnlyList<OpArgument> Arguments { get; } = [new("x", "B")];

        public override IReadOnlyList<string> Outputs { get; } = ["y"];

        public override IReadOnlyList<OpKernel> Kernels { get; } = [new Kernel()];

        protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => new() { ["y"] = inputs["x"].clone() };

        protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("y", call.Size("B"))];

        private sealed class Kernel : OpKernel
        {
            public override string Backend => KernelChoice.Cpu;

            public override void Forward(OpCall call, KernelArrays arrays) => arrays["x"].Span.CopyTo(arrays["y"].Span);

            public override void Backward(OpCall call, KernelArrays arrays) => throw new NotImplementedException();
        }
    }
}
