using Zoo.Host.Verification;

namespace Zoo.Tests;

/// <summary>
/// What `zoo verify` asks, one test a check: every golden case and property of every installed architecture, preset and op. To try your own
/// plugin, set ZOO_PLUGINS to its folder and run this project as it is.
/// </summary>
public sealed class ConformanceTests
{
    private static IEnumerable<TestCaseData> EveryCheck =>
        Installed.Checks.Select(check => new TestCaseData(check).SetArgDisplayNames(check.Kind, check.Case));

    [TestCaseSource(nameof(EveryCheck))]
    public void Verify_WhatIsInstalled_Holds(object check)
    {
        var result = ((Check)check).Run();
        if (result.Status == CheckStatus.Unsupported)
            Assert.Ignore(result.Reason!);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Pass), result.Reason);
    }

    [Test]
    public void Plugins_Installed_AreLoadedEveryOne()
    {
        Assert.That(Installed.Plugins.Disabled.Select(p => p.Sentence), Is.Empty);
        Assert.That(Installed.Catalog.Architectures, Is.Not.Empty);
    }
}
