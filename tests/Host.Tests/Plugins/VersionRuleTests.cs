using Zoo.Host.Plugins;

namespace Zoo.Tests.Plugins;

public sealed class VersionRuleTests
{
    [TestCase("0.1.0", "0.1.0", true)]
    [TestCase("0.1.7", "0.1.0", true)]
    [TestCase("0.1.0", "0.2.0", false)]
    [TestCase("0.2.0", "0.1.0", false)]
    [TestCase("1.2.0", "1.3.0", true)]
    [TestCase("1.3.5", "1.3.0", true)]
    [TestCase("1.4.0", "1.3.0", false)]
    [TestCase("0.9.0", "1.0.0", false)]
    [TestCase("2.0.0", "1.3.0", false)]
    [TestCase("1.0.0-preview.1", "1.0.0", false)]
    [TestCase("1.0.0-preview.1", "1.0.0-preview.1", true)]
    [TestCase("latest", "1.0.0", false)]
    [TestCase("", "1.0.0", false)]
    public void ContractFits_Versions_FollowsTheRule(string plugin, string host, bool fits) =>
        Assert.That(VersionRule.ContractFits(plugin, host), Is.EqualTo(fits));

    [Test]
    public void Require_VersionThatIsNone_SaysSo()
    {
        var plugin = new PluginMetadata("Odd", "1.0.0", "latest", "0.107.0", []);
        Assert.That(() => VersionRule.Require(plugin), Throws.TypeOf<PluginRefusedException>()
            .With.Message.EqualTo("'latest' is no version, and that is the Zoo.Contracts version it was built against. Build it again."));
    }
}
