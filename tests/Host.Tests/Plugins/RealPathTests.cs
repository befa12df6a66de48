using Zoo.Host.Plugins;

namespace Zoo.Tests.Plugins;

public sealed class RealPathTests
{
    [Test]
    public void Of_LinksOnTheWay_AreReplaced()
    {
        using var sandbox = new PluginSandbox();
        var inner = Directory.CreateDirectory(Path.Combine(sandbox.NewFolder("real"), "inner")).FullName;
        Directory.CreateSymbolicLink(Path.Combine(sandbox.Folder, "up"), "../real");
        Assert.That(RealPath.Of(Path.Combine(sandbox.Folder, "up", "inner")), Is.EqualTo(inner));
        Assert.That(RealPath.Of(Path.Combine(sandbox.Folder, "up", "inner", "..", "inner")), Is.EqualTo(inner));
    }

    [Test]
    public void Of_LinkToNothing_SaysSo()
    {
        using var sandbox = new PluginSandbox();
        var link = Path.Combine(sandbox.Folder, "link");
        Directory.CreateSymbolicLink(link, Path.Combine(sandbox.Folder, "gone"));
        Assert.That(() => RealPath.Of(link), Throws.TypeOf<IOException>()
            .With.Message.EqualTo($"'{link}' is a link to '{Path.Combine(sandbox.Folder, "gone")}', which does not exist"));
    }
}
