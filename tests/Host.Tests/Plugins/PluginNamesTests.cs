using Zoo.Host.Plugins;
using Zoo.Kernels;
using Zoo.Tasks;

namespace Zoo.Tests.Plugins;

public sealed class PluginNamesTests
{
    [Test]
    public void Claim_TaskOfTheHosts_IsRefused()
    {
        var names = new PluginNames(["copy"]);
        Assert.That(() => names.Claim(Plugin("A", tasks: ["Copy"])), Throws.TypeOf<PluginRefusedException>()
            .With.Message.EqualTo($"its task 'Copy' has a name that the program itself uses already. Remove one of them; {PluginFolders.Order}."));
    }

    [Test]
    public void Claim_OpOfAnotherPlugin_IsRefusedAndNothingIsTaken()
    {
        var names = new PluginNames([]);
        names.Claim(Plugin("A", ops: ["scan"]));
        Assert.That(() => names.Claim(Plugin("B", tasks: ["recall"], ops: ["scan"])), Throws.TypeOf<PluginRefusedException>()
            .With.Message.EqualTo($"its op 'scan' has a name that plugin 'A' (/plugins/A.dll) uses already. Remove one of them; {PluginFolders.Order}."));
        Assert.That(() => names.Claim(Plugin("C", tasks: ["recall"])), Throws.Nothing);
        Assert.That(() => names.RequireFree("B"), Throws.Nothing);
    }

    [Test]
    public void Claim_TwoOfOneNameInOnePlugin_IsRefused() =>
        Assert.That(() => new PluginNames([]).Claim(Plugin("A", ops: ["scan", "scan"])), Throws.TypeOf<PluginRefusedException>()
            .With.Message.EqualTo("it has two of the op 'scan'."));

    private static LoadedPlugin Plugin(string name, string[]? tasks = null, string[]? ops = null) => new()
    {
        Name = name,
        Version = "1.0.0",
        Path = $"/plugins/{name}.dll",
        Contract = VersionRule.HostContract,
        Assembly = typeof(PluginNamesTests).Assembly,
        Architectures = [],
        Recipes = [],
        Tasks = [.. (tasks ?? []).Select(task => new NamedTask(task))],
        Ops = [.. (ops ?? []).Select(op => new NamedOp(op))],
    };

    private sealed class NamedTask(string name) : ITask
    {
        public TaskInfo Info { get; } =
            new(name, "A name", Architectures.ModelKind.TokenModel) { Skill = "none", Example = "none", Chance = "none" };

        public Configuration.Settings Options => throw new NotSupportedException();

        public TaskData Open(TaskRequest request) => throw new NotSupportedException();
    }

    private sealed class NamedOp(string name) : Op
    {
        public override string Name => name;

        public override string Title => "A name";

        public override IReadOnlyList<OpArgument> Arguments => [];

        public override IReadOnlyList<string> Outputs => [];

        protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => throw new NotSupportedException();
    }
}
