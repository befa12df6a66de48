namespace Zoo.Tests;

public sealed class NamesTests
{
    [TestCase("mamba-130m_v1.2", true)]
    [TestCase("a", true)]
    [TestCase("", false)]
    [TestCase(".", false)]
    [TestCase("..", false)]
    [TestCase(".hidden", false)]
    [TestCase("-option", false)]
    [TestCase("a/b", false)]
    [TestCase("a\\b", false)]
    [TestCase("a b", false)]
    [TestCase("é", false)]
    [TestCase("a\n", false)]
    [TestCase("a\0", false)]
    public void IsValid_Name_IsOneThatFitsInAPath(string name, bool valid) => Assert.That(Names.IsValid(name), Is.EqualTo(valid));

    [Test]
    public void IsValid_Length_IsAtMostAHundred()
    {
        Assert.That(Names.IsValid(new string('a', 100)), Is.True);
        Assert.That(Names.IsValid(new string('a', 101)), Is.False);
    }

    [TestCase("mmba", "mamba")]
    [TestCase("mabma", "mamba")]
    [TestCase("Mamba", "mamba")]
    [TestCase("mambaa", "mamba")]
    [TestCase("lenet", "lenet1989")]
    [TestCase("LENET", "lenet1989")]
    [TestCase("min", null)]             // two begin like that
    [TestCase("mingrü", "mingru")]
    [TestCase("minlsmt", "minlstm")]
    [TestCase("transformer", null)]
    [TestCase("x", null)]
    [TestCase("q", null)]
    [TestCase("lrv", "lru")]
    [TestCase("", null)]
    public void Nearest_Typed_IsWhatWasProbablyMeant(string typed, string? meant) =>
        Assert.That(Names.Nearest(typed, ["lenet1989", "lru", "mamba", "mingru", "minlstm", "xlstm"]), Is.EqualTo(meant));

    [Test]
    public void Nearest_TextWithoutEnd_IsNothing() => Assert.That(Names.Nearest(new string('a', 1_000_000), ["aaa"]), Is.Null);

    [Test]
    public void Nearest_NoChoices_IsNothing() => Assert.That(Names.Nearest("mamba", []), Is.Null);

    [Test]
    public void DidYouMean_NearOrFar_IsASentenceOrNothing()
    {
        Assert.That(Names.DidYouMean("mmba", ["mamba"]), Is.EqualTo(" Did you mean 'mamba'?"));
        Assert.That(Names.DidYouMean("transformer", ["mamba"]), Is.Empty);
    }
}
