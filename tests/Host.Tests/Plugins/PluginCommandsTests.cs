namespace Zoo.Tests.Plugins;

/// <summary>`zoo list` and `zoo plugins` as processes.</summary>
public sealed class PluginCommandsTests
{
    [Test]
    public void List_PluginInANamedFolder_IsThere()
    {
        using var sandbox = new PluginSandbox();
        sandbox.InstallSingle("Fine");
        var outcome = ZooProcess.Run(["list", "--json", "--plugins", sandbox.Folder]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        var record = outcome.Records.Single(r => (string?)r["model"] == "fine");
        Assert.Multiple(() =>
        {
            Assert.That((string?)record["title"], Is.EqualTo("Logistic regression"));
            Assert.That((string?)record["paper"], Is.EqualTo("A test's own"));
            Assert.That((string?)record["plugin"], Is.EqualTo("Fine"));
            Assert.That((string?)record["version"], Is.EqualTo("1.2.3"));
            Assert.That((string?)record["kind"], Is.EqualTo("image-classifier"));
        });
    }

    [Test]
    public void List_ForPeople_ShowsNamePresetsAndAliases()
    {
        using var sandbox = new PluginSandbox();
        sandbox.Install("Fine");
        var outcome = ZooProcess.Run(["list"], environment: new Dictionary<string, string?> { ["ZOO_PLUGINS"] = sandbox.Folder });
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        Assert.That(outcome.Output, Does.Contain("fine-small = preset small").And.Contain("default, small").And.Contain("Fine 1.2.3"));
    }

    [Test]
    public void List_PluginInTheUsersFolder_IsThere()
    {
        using var sandbox = new PluginSandbox();
        var home = sandbox.NewFolder("home");
        foreach (var folder in (string[])["home/zoo", "home/zoo/plugins"])
            sandbox.NewFolder(folder);
        sandbox.Install("Fine", Path.Combine(home, "zoo", "plugins"));
        var outcome = ZooProcess.Run(["list", "--json"], environment: new Dictionary<string, string?> { ["XDG_DATA_HOME"] = home });
        Assert.That(outcome.Records.Select(r => (string?)r["model"]), Does.Contain("fine"), outcome.Error);
    }

    [Test]
    public void List_PluginInTheCurrentFolder_IsNotLoaded()
    {
        using var sandbox = new PluginSandbox();
        sandbox.Install("Fine");
        foreach (var folder in (string[])[sandbox.Folder, Path.GetDirectoryName(sandbox.Folder)!])
        {
            var outcome = ZooProcess.Run(["list", "--json"], workingDirectory: folder);
            Assert.That(outcome.Records.Select(r => (string?)r["model"]), Has.None.EqualTo("fine"));
        }
    }

    [Test]
    public void Commands_EveryFaultAtOnce_SayWhyAndGoOn()
    {
        using var sandbox = new PluginSandbox();
        sandbox.Install("Fine");
        var expected = PluginFault.All.Select(fault => fault.Install(sandbox)).ToList();

        var list = ZooProcess.Run(["list", "--json", "--plugins", sandbox.Folder]);
        Assert.That(list.ExitCode, Is.Zero, list.Error);
        Assert.That(list.Records.Select(r => (string?)r["model"]), Does.Contain("fine"));
        Assert.That(list.Error, Does.Match(@"^\d+ plugins are disabled: `zoo plugins` says why\.\n$"));

        var plugins = ZooProcess.Run(["plugins", "--json", "--plugins", sandbox.Folder]);
        Assert.That(plugins.ExitCode, Is.Zero, plugins.Error);
        var mine = plugins.Records.Where(r => ((string)r["path"]!).StartsWith(sandbox.Folder, StringComparison.Ordinal)).ToList();
        Assert.That(mine.Where(r => (string?)r["status"] == "disabled").Select(r => ((string)r["plugin"]!, (string)r["reason"]!)),
            Is.EquivalentTo(expected));
        var fine = mine.Single(r => (string?)r["status"] == "loaded");
        Assert.Multiple(() =>
        {
            Assert.That((string?)fine["plugin"], Is.EqualTo("Fine"));
            Assert.That((string?)fine["reason"], Is.Null);
            Assert.That((string?)fine["contract"], Is.EqualTo(Zoo.Host.Plugins.VersionRule.HostContract));
            Assert.That((string?)fine["torchsharp"], Is.EqualTo(Zoo.Native.LibTorch.TorchSharpVersion));
            Assert.That((string?)fine["sha256"],
                Is.EqualTo(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(PluginSandbox.Dll("Fine")))));
        });

        var people = ZooProcess.Run(["plugins", "--plugins", sandbox.Folder]);
        Assert.That(people.ExitCode, Is.Zero, people.Error);
        foreach (var (plugin, reason) in expected)
            Assert.That(people.Output, Does.Contain(reason), plugin);
        Assert.That(people.Output, Does.Contain($"Looked in:\n  {sandbox.Folder}\n"));
    }

    [Test]
    public void List_NamedFolderThatIsNotThere_IsTheUsersError()
    {
        var outcome = ZooProcess.Run(["list", "--plugins", "no-such-folder"]);
        Assert.That((outcome.ExitCode, outcome.Output, outcome.Error),
            Is.EqualTo((2, "", "--plugins no-such-folder: there is no such folder.\n")));
    }
}
