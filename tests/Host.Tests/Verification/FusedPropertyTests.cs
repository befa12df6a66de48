using Zoo.Architectures;
using Zoo.Host.Verification;
using Zoo.Kernels;
using Zoo.Tests.Training;
using Zoo.Training;

namespace Zoo.Tests.Verification;

/// <summary>Training steps in one kernel must do what the tensor operations do.</summary>
public sealed class FusedPropertyTests
{
    private const string Case = "fused/default/fused-equals-tensor";

    [Test]
    public void Check_RightKernel_Passes()
    {
        var result = Checks(() => new FusedSoftmaxRegression()).Single(c => c.Case == Case).Run();
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Pass), result.Reason);
        Assert.That(result.Backends, Is.EqualTo(new Dictionary<string, string> { ["fused_softmax_step"] = "cpu+reference", ["sgd"] = "cpu" }));
    }

    [Test]
    public void Check_KernelWithAnotherRate_SaysWhichParameterIsOff()
    {
        var result = Checks(() => new TooSlow()).Single(c => c.Case == Case).Run();
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Fail));
        Assert.That(result.Reason, Does.StartWith("After 12 steps weight is").Or.StartWith("The losses of the steps differ."));
    }

    [Test]
    public void Properties_ModelWithoutKernel_IsNotAsked() =>
        Assert.That(Checks(() => new SoftmaxRegression()).Select(c => c.Case), Does.Not.Contain(Case));

    private static IEnumerable<Check> Checks(Func<Model> build) =>
        new Verifier(new Host.Catalog([], [], OpCatalog.Empty, []), TorchSharp.torch.CPU, KernelChoice.Auto)
            .Properties(new FusedArchitecture(build), preset: null);

    private sealed class FusedArchitecture(Func<Model> build) : Architecture<TinyImageConfig>
    {
        public override ArchitectureInfo Info { get; } = new("fused", "One matrix", "None") { Kind = ModelKind.ImageClassifier };

        public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig> { ["default"] = new TinyImageConfig() };

        protected override Model CreateModel(TinyImageConfig config, BuildContext context) => build();
    }

    /// <summary>Updates with nine tenths of the rate.</summary>
    private sealed class TooSlow : SoftmaxRegression, IFusedTraining
    {
        public string FusedStepName => "too_slow_step";

        public string? RejectFused(TrainingSettings settings, TorchSharp.torch.Device device) => null;

        public void RunFused(FusedSteps steps)
        {
            using var noGradient = TorchSharp.torch.no_grad();
            using var right = new FusedSoftmaxRegression();
            right.Weight.copy_(Weight);
            right.RunFused(steps with { LearningRates = [.. steps.LearningRates.Select(r => 0.9 * r)] });
            Weight.copy_(right.Weight);
        }
    }
}
