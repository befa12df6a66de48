using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Host.Plugins;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Plugins;

public sealed class PluginCatalogTests
{
    private static IEnumerable<TestCaseData> Faults => PluginFault.All.Select(fault => new TestCaseData(fault).SetArgDisplayNames(fault.Name));

    [TestCase(true)]
    [TestCase(false)]
    public void Load_DllDroppedIntoTheFolder_WorksByName(bool asFolder)
    {
        using var sandbox = new PluginSandbox();
        var path = asFolder ? Path.Combine(sandbox.Install("Fine"), "Fine.dll") : sandbox.InstallSingle("Fine");
        var plugins = sandbox.Load();
        Assert.That(plugins.Records, Has.Count.EqualTo(1));
        Assert.Multiple(() =>
        {
            var record = plugins.Records[0];
            Assert.That(record.Reason, Is.Null);
            Assert.That(record.Status, Is.EqualTo(PluginStatus.Loaded));
            Assert.That((record.Name, record.Version, record.Path), Is.EqualTo(("Fine", "1.2.3", path)));
            Assert.That(record.Contract, Is.EqualTo(VersionRule.HostContract));
        });
        using var scope = NewDisposeScope();
        var (installed, preset) = new Zoo.Host.Catalog(plugins.Architectures, plugins.Tasks, plugins.Ops, []).Architecture("fine-small");
        var config = installed.Architecture.ReadConfig(preset, new JsonObject { ["num_classes"] = 3 });
        using var model = (ImageClassifier)installed.Architecture.CreateModel(config, new BuildContext());
        Assert.That(model.Logits(zeros(2, 1, 8, 8)).shape, Is.EqualTo(new long[] { 2, 3 }));
        var y = plugins.Ops.Get("fine_double").Invoke(new NamedTensors { ["x"] = ones(2) }, OpOptions.None, KernelChoice.Auto).Outputs["y"];
        Assert.That(y.data<float>().ToArray(), Is.EqualTo(new[] { 2f, 2f }));
    }

    [Test]
    public void Load_PluginWithItsDependency_UsesIt()
    {
        using var sandbox = new PluginSandbox();
        sandbox.Install("MissingDependency");
        Assert.That(sandbox.Load().Architectures.Select(a => a.Info.Name), Is.EqualTo(new[] { "missing-dependency" }));
    }

    [TestCaseSource(nameof(Faults))]
    public void Load_OneFault_DisablesOnlyThatPlugin(object subject)
    {
        var fault = (PluginFault)subject;
        using var sandbox = new PluginSandbox();
        sandbox.Install("Fine");
        var (plugin, reason) = fault.Install(sandbox);
        var plugins = sandbox.Load();
        Assert.Multiple(() =>
        {
            Assert.That(plugins.Disabled.Select(p => (p.Name, p.Reason)), Is.EqualTo(new[] { (plugin, reason) }));
            Assert.That(plugins.Plugins.Select(p => p.Name), Is.EqualTo(new[] { "Fine" }));
            Assert.That(plugins.Architectures.Select(a => a.Info.Name), Is.EqualTo(new[] { "fine" }));
        });
    }

    [Test]
    public void Load_EveryFaultAtOnce_LoadsTheOthers()
    {
        using var sandbox = new PluginSandbox();
        sandbox.Install("Fine");
        var expected = PluginFault.All.Select(fault => fault.Install(sandbox)).ToList();
        sandbox.Install("FailsInUse");   // fails only later
        var plugins = sandbox.Load();
        Assert.Multiple(() =>
        {
            Assert.That(plugins.Disabled.Select(p => (p.Name, p.Reason!)), Is.EquivalentTo(expected));
            Assert.That(plugins.Plugins.Select(p => p.Name), Is.EqualTo(new[] { "FailsInUse", "Fine" }));
        });
    }

    [Test]
    public void Load_TwoPluginsOfOneName_FirstFolderWins()
    {
        using var sandbox = new PluginSandbox();
        var (first, second) = (sandbox.NewFolder("first"), sandbox.NewFolder("second"));
        var used = sandbox.InstallSingle("Twin", first);
        sandbox.Install("Twin", second);
        var plugins = sandbox.Load(first, second);
        Assert.That(plugins.Plugins.Select(p => p.Path), Is.EqualTo(new[] { used }));
        Assert.That(plugins.Disabled.Single().Sentence, Is.EqualTo("Plugin 'Twin' 0.1.0 is disabled: another plugin of that name, 0.1.0, " +
            $"was found first and is used: '{used}'. Remove one of them; --plugins goes before ZOO_PLUGINS, that before your own plugin " +
            "folder, that before the one beside the program."));
    }

    [Test]
    public void Load_FirstOfTwoCannotBeUsed_TheOtherIs()
    {
        using var sandbox = new PluginSandbox();
        var (first, second) = (sandbox.NewFolder("first"), sandbox.NewFolder("second"));
        File.Delete(Path.Combine(sandbox.Install("MissingDependency", first), "Dependency.dll"));
        var used = sandbox.Install("MissingDependency", second);
        Assert.That(sandbox.Load(first, second).Plugins.Select(p => p.Path), Is.EqualTo(new[] { Path.Combine(used, "MissingDependency.dll") }));
    }

    [Test]
    public void Load_OneFolderByTwoNames_FindsItsPluginsOnce()
    {
        using var sandbox = new PluginSandbox();
        sandbox.Install("Fine");
        var link = sandbox.Folder + "-link";
        Directory.CreateSymbolicLink(link, sandbox.Folder);
        Assert.That(sandbox.Load(sandbox.Folder, link, sandbox.Folder).Records.Select(r => r.Status), Is.EqualTo(new[] { PluginStatus.Loaded }));
    }

    [Test]
    public void Load_StrayContractBesideSingleDlls_IsLeftAloneAndHarmless()
    {
        using var sandbox = new PluginSandbox();
        sandbox.InstallSingle("Fine");
        sandbox.Write("Zoo.Contracts.dll", File.ReadAllBytes(typeof(UserException).Assembly.Location));
        var plugins = sandbox.Load();
        Assert.That(plugins.Architectures.Select(a => a.Info.Name), Is.EqualTo(new[] { "fine" }));
        Assert.That(plugins.Disabled.Select(p => p.Name), Is.EqualTo(new[] { "Zoo.Contracts" }));
    }

    [TestCase(UnixFileMode.OtherWrite, "0757")]
    [TestCase(UnixFileMode.OtherWrite | UnixFileMode.GroupWrite | UnixFileMode.StickyBit, "1777")]
    [Platform(Exclude = "Win", Reason = "Windows' access lists are not examined.")]
    public void Load_FolderThatOthersCanWriteTo_IsRefusedAndTheOthersAreUsed(UnixFileMode others, string mode)
    {
        using var sandbox = new PluginSandbox();
        sandbox.Install("Twin");
        PluginSandbox.Permit(sandbox.Folder, others);
        var good = sandbox.NewFolder("good");
        sandbox.Install("Fine", good);
        var plugins = sandbox.Load(sandbox.Folder, good);
        Assert.That(plugins.Plugins.Select(p => p.Name), Is.EqualTo(new[] { "Fine" }));
        Assert.That(plugins.Disabled.Single().Sentence, Is.EqualTo($"The plugin folder '{sandbox.Folder}' is not used: others can write to " +
            $"'{sandbox.Folder}' (mode {mode}), so its code could be anybody's. Run `chmod go-w '{sandbox.Folder}'` once you trust what is in it."));
    }

    [TestCase("")]
    [TestCase("Twin.dll")]
    [TestCase("Twin.deps.json")]
    [Platform(Exclude = "Win", Reason = "Windows' access lists are not examined.")]
    public void Load_PluginsOwnFilesThatOthersCanWriteTo_IsDisabled(string file)
    {
        using var sandbox = new PluginSandbox();
        var path = Path.Combine(sandbox.Install("Twin"), file).TrimEnd('/');
        PluginSandbox.Permit(path, UnixFileMode.OtherWrite);
        Assert.That(sandbox.Load().Disabled.Single().Reason, Does.StartWith($"others can write to '{path}' (mode 0"));
    }

    [Test]
    public void Load_FolderThatCannotBeRead_IsRefusedAndTheOthersAreUsed()
    {
        using var sandbox = new PluginSandbox();
        sandbox.Install("Fine");
        var (one, two) = (sandbox.Folder + "-one", sandbox.Folder + "-two");
        Directory.CreateSymbolicLink(one, two);
        Directory.CreateSymbolicLink(two, one);
        var plugins = sandbox.Load(one, sandbox.Folder);
        Assert.That(plugins.Plugins.Select(p => p.Name), Is.EqualTo(new[] { "Fine" }));
        Assert.That(plugins.Disabled.Single().Sentence,
            Is.EqualTo($"The plugin folder '{one}' is not used: it cannot be read: '{one}' is a link that leads in a circle."));
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "Windows' access lists are not examined.")]
    public void Load_FolderWithoutReadPermission_IsRefusedAndTheOthersAreUsed()
    {
        if (Environment.IsPrivilegedProcess)
            Assert.Ignore("The superuser can read every folder.");
        using var sandbox = new PluginSandbox();
        var (closed, good) = (sandbox.NewFolder("closed"), sandbox.NewFolder("good"));
        sandbox.Install("Fine", good);
        PluginSandbox.Permit(closed, UnixFileMode.None, only: true);
        var plugins = sandbox.Load(closed, good);
        PluginSandbox.Permit(closed, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Assert.That(plugins.Plugins.Select(p => p.Name), Is.EqualTo(new[] { "Fine" }));
        Assert.That(plugins.Disabled.Single().Sentence, Does.StartWith($"The plugin folder '{closed}' is not used: it cannot be read: "));
    }

    [Test]
    public void Explain_MemberThatThisHostLacks_NamesPluginAndMember()
    {
        var sentence = Failure("fails-in-use", "member").Message;
        Assert.That(sentence, Does.Match(@"^Plugin 'FailsInUse' 0\.1\.0 failed in Zoo\.Faulty\.FailsInUseArchitecture\.MissingMember( \(line \d+ of \w+\.cs\))?\. "));
        Assert.That(sentence, Does.EndWith($"It uses what this host's Zoo.Contracts {VersionRule.HostContract} does not have: Method not found: " +
            $"'Int32 Zoo.ShapeException.CountSoFar()'. It was built against Zoo.Contracts {VersionRule.HostContract}; build it again for this host."));
    }

    [Test]
    public void Explain_MethodThatCannotBeCompiled_NamesPluginAndType()
    {
        var sentence = Failure("fails-at-once", "default").Message;
        Assert.That(sentence, Does.StartWith("Plugin 'FailsInUse' 0.1.0 failed in Zoo.Faulty.FailsAtOnceArchitecture.CreateModel"));
        Assert.That(sentence, Does.EndWith($"It uses what this host's Zoo.Contracts {VersionRule.HostContract} does not have: " +
            "Could not load type 'Zoo.FutureValue' from assembly 'Zoo.Contracts, Version=0.1.0.0, Culture=neutral, PublicKeyToken=null'. " +
            $"It was built against Zoo.Contracts {VersionRule.HostContract}; build it again for this host."));
    }

    [Test]
    public void Explain_MissingNativeLibrary_IsTheEnvironments()
    {
        var explained = Failure("fails-in-use", "library");
        Assert.That(explained, Is.TypeOf<EnvironmentException>());
        Assert.That(explained.Message, Does.StartWith("Plugin 'FailsInUse' 0.1.0 failed in ").And.Contain("A native library is missing or does not load: ")
            .And.Contain("zoofaulty"));
    }

    [Test]
    public void Explain_FaultInThePlugin_NamesPluginAndPlace()
    {
        var explained = Failure("fails-in-use", "default");
        Assert.That(explained.InnerException, Is.TypeOf<InvalidOperationException>());
        Assert.That(explained.Message, Does.StartWith("Plugin 'FailsInUse' 0.1.0 failed in Zoo.Faulty.FailsInUseArchitecture.CreateModel")
            .And.Contain(". InvalidOperationException: the layers do not fit. Tell its author; the plugin is '"));
    }

    [Test]
    public void Explain_SentenceForTheUserOrFaultOfTheHost_IsLeftAlone()
    {
        using var sandbox = new PluginSandbox();
        sandbox.Install("FailsInUse");
        var plugins = sandbox.Load();
        var own = Assert.Throws<InvalidOperationException>(() => throw new InvalidOperationException("the host's"))!;
        Assert.That(plugins.Explain(own), Is.Null);
        Assert.That(plugins.Explain(new UserException("a sentence")), Is.Null);
        Assert.That(PluginBlame.Own(own), Does.StartWith("Zoo failed. InvalidOperationException: the host's. This is a mistake in Zoo itself;"), "no frame is the host's");
    }

    [Test]
    public void Own_ExceptionNobodyForesaw_NamesTheInnermostPlaceOfTheHost()
    {
        var path = Path.Combine(Path.GetTempPath(), $"zoo-{Guid.NewGuid():N}");
        var thrown = Assert.Catch(() => Zoo.Files.AtomicFile.Write(path, _ => throw new FormatException("two\nlines")))!;
        Assert.That(PluginBlame.Own(thrown), Does.Match(@"^Zoo failed in Zoo\.Files\.AtomicFile\.Write( \(line \d+ of AtomicFile\.cs\))?\. FormatException: two\. This is "));
    }

    private static Exception Failure(string model, string preset)
    {
        using var sandbox = new PluginSandbox();
        sandbox.Install("FailsInUse");
        var plugins = sandbox.Load();
        var architecture = plugins.Architectures.Single(a => a.Info.Name == model).Architecture;
        var thrown = Assert.Catch(() => architecture.CreateModel(architecture.Presets[preset], new BuildContext()))!;
        return plugins.Explain(thrown) ?? throw new AssertionException($"No plugin was blamed for {thrown}");
    }
}
