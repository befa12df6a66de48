using Zoo.Host.Verification;
using Zoo.Host.Verification.Properties;
using Zoo.Kernels;

namespace Zoo.Tests.Verification;

public sealed class OpPropertiesTests
{
    private static IEnumerable<string> EveryProperty => AllProperties.OfOps.Select(p => p.Name);

    [TestCaseSource(nameof(EveryProperty))]
    public void Check_RightOp_Passes(string property)
    {
        var result = Run(new TinyOp(), property);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Pass), result.Reason);
        Assert.That(result.Backends, Is.EqualTo(new Dictionary<string, string> { ["tiny_product"] = "reference" }));
    }

    [TestCase(nameof(TinyOpFault.WrongGradient), "gradient-difference-quotient", "The gradient of '_w_' gives a slope of")]
    [TestCase(nameof(TinyOpFault.NoGradient), "gradient-difference-quotient", "The gradient of '_w_' gives a slope of 0")]
    [TestCase(nameof(TinyOpFault.UnseededNoise), "runs", "A second call gives other numbers.")]
    [TestCase(nameof(TinyOpFault.Undeclared), "runs", "It gives z, which it does not declare as outputs.")]
    public void Check_PlantedFault_SaysWhatIsWrong(string fault, string property, string reason)
    {
        var result = Run(new TinyOp(Enum.Parse<TinyOpFault>(fault)), property);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Fail));
        Assert.That(result.Reason, Does.StartWith(reason));
    }

    [Test]
    public void Check_OpWithNeedsThatItsAxesDoNotState_IsUnsupported()
    {
        var result = Run(new PickyOp(), "runs");
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Unsupported));
        Assert.That(result.Reason, Is.EqualTo("Random tensors of its declared axes do not suit it: picky: D must be a multiple of 64."));
    }

    private static CheckResult Run(Op op, string property) =>
        new Verifier(new Host.Catalog([], [], OpCatalog.Empty, []), TorchSharp.torch.CPU, KernelChoice.Auto)
            .Properties(op).Single(c => c.Case == $"{op.Name}/{property}").Run();

    private sealed class PickyOp : Op
    {
        public override string Name => "picky";

        public override string Title => "Needs a multiple of 64";

        public override IReadOnlyList<OpArgument> Arguments { get; } = [new("x", "D")];

        public override IReadOnlyList<string> Outputs => ["y"];

        protected override void Check(OpCall call) => throw new ShapeException("picky: D must be a multiple of 64.");

        protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => new() { ["y"] = inputs["x"] };
    }
}
