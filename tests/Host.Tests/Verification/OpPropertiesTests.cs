using Zoo.Host.Verification;
using Zoo.Host.Verification.Properties;
using Zoo.Kernels;

namespace Zoo.Tests.Verification;

public sealed class OpPropertiesTests
{
    private static IEnumerable<string> EveryProperty => AllProperties.OfOps.Where(p => p.AppliesTo(new TinyOp())).Select(p => p.Name);

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
        Assert.That(result.Reason, Is.EqualTo("Random tensors of its declared axes do not suit it (ExampleSize and Example of the op can say which do): picky: D must be a multiple of 64."));
    }

    [TestCase(KernelFault.None, null)]
    [TestCase(KernelFault.WritesWhatIsNotWanted, "The gradient of 'x' alone was wanted. Then the kernel threw NullReferenceException: ")]
    [TestCase(KernelFault.ReadsWhatDidNotArrive, "The loss used the output 'sum' alone. Then the kernel threw NullReferenceException: ")]
    [TestCase(KernelFault.KeepsForNobody, "No gradient was wanted. Then the kernel threw NullReferenceException: ")]
    [TestCase(KernelFault.ForgetsOneThatIsWantedAlone, "The gradient of 'w' alone was wanted. grad.in.w[0] is")]
    public void PartialGradients_KernelFault_SaysInWhichCall(KernelFault fault, string? reason)
    {
        var result = Run(new KernelOp(fault), "partial-gradients");
        Assert.That(result.Status, Is.EqualTo(reason is null ? CheckStatus.Pass : CheckStatus.Fail), result.Reason);
        if (reason is not null)
            Assert.That(result.Reason, Does.StartWith(reason));
        Assert.That(Run(new KernelOp(fault), "equals-float64").Status, Is.EqualTo(CheckStatus.Pass), "nothing shows where everything is asked");
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

    /// <summary>What a kernel does that shows only where not everything is asked of it.</summary>
    public enum KernelFault
    {
        None,
        WritesWhatIsNotWanted,
        ReadsWhatDidNotArrive,
        KeepsForNobody,
        ForgetsOneThatIsWantedAlone,
    }

    /// <summary>y = x w and the sum x + w.</summary>
    private sealed class KernelOp(KernelFault fault) : Op
    {
        public override string Name => "product_and_sum";

        public override string Title => "x w, and x + w";

        public override IReadOnlyList<OpArgument> Arguments { get; } = [new("x", "D"), new("w", "D")];

        public override IReadOnlyList<string> Outputs { get; } = ["y", "sum"];

        public override IReadOnlyList<OpKernel> Kernels => [new Kernel(fault)];

        protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) =>
            new() { ["y"] = inputs["x"] * inputs["w"], ["sum"] = inputs["x"] + inputs["w"] };

        protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("y", call.Size("D")), new("sum", call.Size("D"))];

        private sealed unsafe class Kernel(KernelFault fault) : OpKernel
        {
            public override string Backend => KernelChoice.Cpu;

            public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) => [new("kept", call.Size("D"))];

            public override void Forward(OpCall call, KernelArrays arrays)
            {
                float* x = arrays["x"].Float32, w = arrays["w"].Float32, kept = arrays["kept"].Float32;
                for (var i = 0; i < arrays["x"].Length; i++)
                {
                    arrays["y"].Float32[i] = x[i] * w[i];
                    arrays["sum"].Float32[i] = x[i] + w[i];
                    if (kept != null || fault == KernelFault.KeepsForNobody)
                        kept[i] = x[i];
                }
            }

            public override void Backward(OpCall call, KernelArrays arrays)
            {
                float* w = arrays["w"].Float32, kept = arrays["kept"].Float32;
                float* gradY = arrays.Gradient("y").Float32, gradSum = arrays.Gradient("sum").Float32;
                float* gradX = arrays.Gradient("x").Float32, gradW = arrays.Gradient("w").Float32;
                for (var i = 0; i < arrays["x"].Length; i++)
                {
                    var ofY = gradY != null || fault == KernelFault.ReadsWhatDidNotArrive ? gradY[i] : 0;
                    var ofSum = gradSum != null ? gradSum[i] : 0;
                    if (gradX != null)
                        gradX[i] = ofY * w[i] + ofSum;
                    if (gradW != null || fault == KernelFault.WritesWhatIsNotWanted)
                        gradW[i] = fault == KernelFault.ForgetsOneThatIsWantedAlone && gradX == null ? 0 : ofY * kept[i] + ofSum;
                }
            }
        }
    }
}
