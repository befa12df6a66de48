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

    [TestCaseSource(nameof(EveryProperty))]
    public void Check_OpWithoutAGradientOfOneArgument_IsNotAskedForIt(string property)
    {
        var result = Run(new MaskOp(), property);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Pass), result.Reason);
    }

    [Test]
    public void Invoke_GradientOfAnArgumentThatHasNone_IsRefused()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var inputs = new NamedTensors { ["x"] = TorchSharp.torch.ones(3), ["mask"] = TorchSharp.torch.ones(3).requires_grad_() };
        Assert.That(() => new MaskOp().Invoke(inputs, OpOptions.None, KernelChoice.Auto),
            Throws.TypeOf<ShapeException>().With.Message.EqualTo("mask has no gradient of 'mask', which requires one; detach it."));
        using var noGradient = TorchSharp.torch.no_grad();
        Assert.That(() => new MaskOp().Invoke(inputs, OpOptions.None, KernelChoice.Auto), Throws.Nothing);
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

    private sealed class MaskOp : Op
    {
        public override string Name => "mask";

        public override string Title => "x where the mask lets it through";

        public override IReadOnlyList<OpArgument> Arguments { get; } = [new("x", "D"), new("mask", "D") { HasGradient = false }];

        public override IReadOnlyList<string> Outputs => ["y"];

        protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => new() { ["y"] = inputs["x"] * inputs["mask"].detach() };
    }

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
