using Zoo.Architectures;
using Zoo.Host.Verification;
using Zoo.Host.Verification.Properties;
using Zoo.Kernels;

namespace Zoo.Tests.Verification;

/// <summary>Each property tells a right model from one that is wrong in its way, and says what is wrong.</summary>
public sealed class ModelPropertiesTests
{
    private static IEnumerable<string> EveryProperty =>
        AllProperties.OfModels.Where(p =>
            p.AppliesTo(new TinyImageArchitecture(Fault.None).Info) && p.AppliesTo(new ModelOutline([], FusedStepName: null))).Select(p => p.Name);

    [TestCaseSource(nameof(EveryProperty))]
    public void Check_RightModel_Passes(string property)
    {
        foreach (var preset in (string[])["default", "wide"])
        {
            var result = Run(Fault.None, property, preset);
            Assert.That(result.Status, Is.EqualTo(CheckStatus.Pass), result.Reason);
            Assert.That(result.Reason, Is.Null);
        }
    }

    [TestCase(nameof(Fault.DoubledGradient), "gradient-difference-quotient", "The gradient of _scale gives a slope of")]
    [TestCase(nameof(Fault.UnreachedParameter), "gradient-reaches", "No gradient reaches _scale.")]
    [TestCase(nameof(Fault.ZeroGradient), "gradient-reaches", "The gradient of _scale is zero everywhere")]
    [TestCase(nameof(Fault.RowLeakage), "rows-independent", "of a batch of 4 has other outputs than alone")]
    [TestCase(nameof(Fault.UnseededNoise), "same-seed", "Two training passes from one seed differ")]
    [TestCase(nameof(Fault.UnseededNoise), "backward-deterministic", "Two backward passes differ")]
    [TestCase(nameof(Fault.UnseededInitialisation), "same-seed", "Two models from one seed differ")]
    [TestCase(nameof(Fault.NotANumber), "finite-outputs", "12 outputs are NaN or infinite in evaluation mode")]
    [TestCase(nameof(Fault.NotANumber), "gradient-reaches", "NaN")]
    [TestCase(nameof(Fault.UnsavedTensor), "save-and-load", "something that they depend on is not in the state dict")]
    [TestCase(nameof(Fault.HiddenSubmodule), "components-registered", "_hidden is neither trained nor saved")]
    [TestCase(nameof(Fault.SubmoduleProperty), "builds", "Make parameters and submodules fields")]
    [TestCase(nameof(Fault.UnknownGroupName), "parameter-groups", "names '_scales', which the model does not have. Did you mean '_scale'?")]
    [TestCase(nameof(Fault.OverlappingGroups), "parameter-groups", "'_scale' is in two parameter groups")]
    [TestCase(nameof(Fault.IgnoresUnknownKeys), "unknown-key-refused", "'zz_no_such_key' does not exist, and nothing was said")]
    [TestCase(nameof(Fault.ForgetsConfig), "config-round-trip", "hidden_size has another value")]
    [TestCase(nameof(Fault.LowPrecision), "gradient-float64", "of its size away from float64")]
    [TestCase(nameof(Fault.ThrowsWhenBuilt), "finite-outputs", "It threw InvalidOperationException: no such thing")]
    [TestCase(nameof(Fault.ReadsValuesWhenBuilt), "builds", "cannot be built without storage")]
    public void Check_PlantedFault_SaysWhatIsWrong(string fault, string property, string reason)
    {
        var result = Run(Enum.Parse<Fault>(fault), property, fault == nameof(Fault.ForgetsConfig) ? "wide" : "default");
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Fail));
        Assert.That(result.Reason, Does.Contain(reason));
    }

    [Test]
    public void Properties_OfPresetsAboveTheLimit_AskOnlyWhatNeedsNoStorage()
    {
        var checks = NewVerifier().Properties(new HugeArchitecture(), preset: null).ToList();
        Assert.That(checks.Select(c => c.Case), Is.EqualTo((string[])["huge/default/builds", "huge/default/config-round-trip", "huge/default/unknown-key-refused"]));
        foreach (var check in checks)
            Assert.That(check.Run().Reason, Is.Null, check.Case);
    }

    private static Verifier NewVerifier() => new(new Host.Catalog([], [], OpCatalog.Empty, []), TorchSharp.torch.CPU, KernelChoice.Auto);

    private static CheckResult Run(Fault fault, string property, string preset) => NewVerifier()
        .Properties(new TinyImageArchitecture(fault), preset)
        .Single(c => c.Case == $"tiny-image/{preset}/{property}")
        .Run();

    private sealed class HugeArchitecture : Architecture<TinyImageConfig>
    {
        public override ArchitectureInfo Info { get; } = new("huge", "Ten billion parameters", "None") { Kind = ModelKind.ImageClassifier };

        public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } =
            new Dictionary<string, ModelConfig> { ["default"] = new TinyImageConfig { HiddenDim = 500_000_000 } };

        protected override Model CreateModel(TinyImageConfig config, BuildContext context) => new TinyImageModel(config, Fault.None);
    }
}
