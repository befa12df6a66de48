using Zoo.SageAttention.Recipes;

namespace Zoo.Tests.Sage;

public sealed class EndToEndRecipeTests
{
    [Test]
    public void MadeUpText_SameSeed_IsTheSameTextAndAnotherSeedAnother()
    {
        var text = MadeUpText.Of(5000, seed: 1);
        Assert.That(text, Has.Length.EqualTo(5000));
        Assert.That(MadeUpText.Of(5000, seed: 1), Is.EqualTo(text));
        Assert.That(MadeUpText.Of(5000, seed: 2), Is.Not.EqualTo(text));
    }
}
