using Zoo.Host.Verification;
using Zoo.Host.Verification.Properties;
using Zoo.Kernels;

namespace Zoo.Tests.Verification;

/// <summary>What only models over tokens promise.</summary>
public sealed class TokenPropertiesTests
{
    private static IEnumerable<string> EveryProperty =>
        AllProperties.OfModels.Where(p =>
            p.AppliesTo(new TinyTokenArchitecture(TokenFault.None).Info) && p.AppliesTo(new ModelOutline([], FusedStepName: null))).Select(p => p.Name);

    [TestCaseSource(nameof(EveryProperty))]
    public void Check_RightModel_Passes(string property)
    {
        foreach (var right in (TokenFault[])[TokenFault.None, TokenFault.ShortButRight])
        {
            var result = Run(right, property);
            Assert.That(result.Status, Is.EqualTo(CheckStatus.Pass), result.Reason);
        }
    }

    [Test]
    public void AppliesTo_TokenModelWithSteps_IsAskedEverythingButKernelStepsAndPacking() =>
        Assert.That(EveryProperty, Is.EquivalentTo(AllProperties.OfModels.Where(p => p is not (FusedEqualsTensorProperty or PackedEqualsUnpackedProperty)).Select(p => p.Name)));

    [TestCase(nameof(TokenFault.LooksAhead), "causal", "Other tokens from position 1 on change what came before them.")]
    [TestCase(nameof(TokenFault.KnowsTheLength), "causal", "The first 1 positions differ when nothing follows them.")]
    [TestCase(nameof(TokenFault.LooksSideways), "causal", "A sequence alone gives other hidden states than beside another.")]
    [TestCase(nameof(TokenFault.WrongStep), "step-equals-parallel", "2 tokens one by one differ from the whole sequence.")]
    [TestCase(nameof(TokenFault.ForgetsAfterBlock), "step-equals-parallel", "65 tokens one by one differ from the whole sequence.")]
    [TestCase(nameof(TokenFault.PrefillIgnoresState), "pieces-equal-parallel", "Pieces of 1 + 1 tokens differ from the whole sequence.")]
    [TestCase(nameof(TokenFault.PrefillKeepsState), "pieces-equal-parallel", "Pieces of 1 + 1 tokens differ from the whole sequence.")]
    [TestCase(nameof(TokenFault.WrongStep), "pieces-equal-parallel", "33 tokens at once and 33 one by one differ from the whole sequence.")]
    [TestCase(nameof(TokenFault.ShortAndWrongStep), "step-equals-parallel", "2 tokens one by one differ from the whole sequence.")]
    [TestCase(nameof(TokenFault.SharedState), "state-clone", "Stepping a copied state changes the original.")]
    public void Check_PlantedFault_SaysWhatIsWrong(string fault, string property, string reason)
    {
        var result = Run(Enum.Parse<TokenFault>(fault), property);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Fail));
        Assert.That(result.Reason, Does.StartWith(reason));
        Assert.That(result.Worst, Is.Not.Null);
    }

    [TestCase(nameof(TokenFault.GrowingState), "constant-memory", "The state holds 432 bytes after 8 tokens and 12,384 after 257.")]
    [TestCase(nameof(TokenFault.IgnoresBFloat16), "bfloat16", "With bfloat16 products the outputs are float32's, bit by bit")]
    [TestCase(nameof(TokenFault.WrongBFloat16), "bfloat16", "With bfloat16 products the outputs are 0.2")]
    [TestCase(nameof(TokenFault.BFloat16WithoutGradient), "bfloat16", "A gradient reaches _head.weight in float32 and not with bfloat16 products.")]
    public void Check_PlantedFaultOfAbility_SaysWhatIsWrong(string fault, string property, string reason)
    {
        var result = Run(Enum.Parse<TokenFault>(fault), property);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Fail));
        Assert.That(result.Reason, Does.StartWith(reason));
    }

    private static CheckResult Run(TokenFault fault, string property) =>
        new Verifier(new Host.Catalog([], [], OpCatalog.Empty, []), TorchSharp.torch.CPU, KernelChoice.Auto)
            .Properties(new TinyTokenArchitecture(fault), "default")
            .Single(c => c.Case == $"tiny-token/default/{property}")
            .Run();
}
