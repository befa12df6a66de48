using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;
using TorchSharp;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Host.Configuration;
using Zoo.Host.Tasks;
using Zoo.Host.Verification;
using Zoo.Kernels;
using Zoo.Native;
using Zoo.Tasks;

namespace Zoo.Host.Cli;

/// <summary>`zoo show`: everything about one architecture that can be said without training it, or about one task.</summary>
internal sealed class ShowCommand : ZooCommand
{
    private readonly Argument<string?> _model = new("model")
    {
        Description = "Name or alias of an architecture, or name of a task; `zoo list` has them. Or --op for an op.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string?> _op = OptionOf.Text("--op", "NAME", "An op: what it takes and gives, and its backends. `zoo plugins` lists those of plugins.");

    private readonly Option<string?> _preset = new("--preset")
    {
        Description = "The preset to show; the model's own when none is named.",
        HelpName = "PRESET",
    };

    private readonly Option<string[]> _sets = OptionOf.Sets("A config key to change before showing, such as d_model=128 or ssm_cfg.d_state=32 (repeatable).");

    private readonly Option<string?> _device = DeviceName.Option();

    public ShowCommand() : base("show", "Config keys with their values, presets, parameter count, tasks, ops and backends of a model; or a task's options; or an op.")
    {
        Add(_model);
        Add(_op);
        Add(_preset);
        Add(_sets);
        Add(_device);
    }

    public override int Run(ParseResult arguments, Session session)
    {
        var catalog = session.Catalog;
        var (name, op) = (arguments.GetValue(_model), arguments.GetValue(_op));
        if (name is null == op is null)
            throw new UserException("Say what to show: `zoo show MODEL`, `zoo show TASK` or `zoo show --op NAME`. `zoo list` shows the models.");
        if (op is not null)
            return ShowOp(arguments, session, op);
        if (!catalog.HasArchitecture(name!) && catalog.Tasks.FirstOrDefault(t => t.Info.Name == name) is { } task)
            return ShowTask(arguments, session, task);
        var (installed, namedPreset) = catalog.Architecture(name!);
        var preset = RunPlanner.CheckPreset(installed, arguments.GetValue(_preset) ?? namedPreset);
        var config = installed.Architecture.ReadConfig(preset, RunPlanner.ParseSets(arguments.GetValue(_sets) ?? []));

        LibTorch.Load();
        var device = DeviceName.Parse(arguments.GetValue(_device));
        var shown = new Shown(
            installed, preset, config, installed.Architecture.Presets[installed.Info.DefaultPreset],
            ModelOutline.Of(installed.Architecture, config, catalog.Ops),
            [.. catalog.TasksFor(installed.Info)],
            [.. installed.Info.Ops.Select(name => ShownOp.Of(name, catalog.Ops.Find(name), device))]);
        session.Output.Record(shown.ToJson());
        if (!session.Output.Json)
            Say(session.Output, shown);
        return ExitCode.Done;
    }

    private int ShowOp(ParseResult arguments, Session session, string name)
    {
        foreach (var option in (Option[])[_preset, _sets, _device])
        {
            if (arguments.GetResult(option) is { Implicit: false })
                throw new UserException($"{option.Name}: {name} is an op; it is shown as it is.");
        }
        var op = session.Catalog.Ops.Get(name);
        var owner = session.Plugins.Plugins.FirstOrDefault(p => p.Ops.Contains(op));
        var shown = new ShownOperator(op, owner is null ? null : $"{owner.Name} {owner.Version}");
        session.Output.Record(shown.ToJson());
        if (!session.Output.Json)
            shown.Say(session.Output);
        return ExitCode.Done;
    }

    private int ShowTask(ParseResult arguments, Session session, ITask task)
    {
        foreach (var option in (Option[])[_preset, _sets, _device])
        {
            if (arguments.GetResult(option) is { Implicit: false })
                throw new UserException($"{option.Name}: {task.Info.Name} is a task; it is shown as it is.");
        }
        var shown = new ShownTask(task);
        session.Output.Record(shown.ToJson());
        var learners = session.Catalog.Architectures.Where(a => session.Catalog.TasksFor(a.Info).Contains(task));
        if (!session.Output.Json)
            shown.Say(session.Output, [.. learners.Select(a => a.Info.Name)]);
        return ExitCode.Done;
    }

    private static void Say(Output output, Shown shown)
    {
        var info = shown.Installed.Info;
        output.Say($"{info.Name}: {info.Title}");
        Line("paper", info.Paper);
        Line("kind", KindName.OfAll(info));
        Line("abilities", string.Join(", ", shown.Abilities));
        Line("plugin", $"{shown.Installed.Plugin} {shown.Installed.PluginVersion}");
        Line("presets", string.Join(", ", shown.Installed.Architecture.Presets.Keys.Select(p => p == info.DefaultPreset ? $"{p} (default)" : p)));
        Line("aliases", string.Join(", ", info.Aliases.Select(a => $"{a.Name} = preset {a.Preset}")));
        Line("parameters", string.Create(CultureInfo.InvariantCulture, $"{shown.Outline.ParameterCount:N0} in {shown.Outline.Parameters.Count} tensors, preset {shown.Preset}"));
        Line("tasks", string.Join(", ", shown.Tasks.Select(t => t.Info.Name == shown.DefaultTask ? $"{t.Info.Name} (default)" : t.Info.Name)));
        for (var i = 0; i < shown.Ops.Count; i++)
            Line(i == 0 ? "ops" : "", shown.Ops[i].Sentence);
        for (var i = 0; i < shown.Memory.Count; i++)
            Line(i == 0 ? "memory" : "", Sentence(shown.Memory[i]));
        for (var i = 0; i < info.Limits.Count; i++)
            Line(i == 0 ? "limits" : "", info.Limits[i]);
        output.Say("");

        var table = new Table { Border = TableBorder.Simple };
        var others = shown.Preset != info.DefaultPreset || shown.Keys.Any(k => k.Value != k.Default);
        table.AddColumn("Config key (--set)");
        table.AddColumn(others ? "Value" : "Default");
        if (others)
            table.AddColumn("Default");
        foreach (var (key, value, byDefault) in shown.Keys)
            table.AddRow(((string[])(others ? [key, value, byDefault] : [key, value])).Select(t => new Text(t)));
        output.Results.Write(table);

        void Line(string heading, string text)
        {
            if (text.Length > 0)
                output.Say($"  {heading,-10}  {text}");
        }
    }

    private static string Sentence(MemoryNeed need)
    {
        var beside = need.TransformerBytes is { } other ? $"; a Transformer of that size {Gigabytes(other)}" : "";
        return $"{need.Use}: {Gigabytes(need.Bytes)}{beside} ({need.Of})";

        static string Gigabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.###} GB");
    }

    private static string AbilityName(ModelAbilities ability) =>
        ability == ModelAbilities.BFloat16 ? "bfloat16" : JsonNamingPolicy.KebabCaseLower.ConvertName(ability.ToString());

    /// <summary>An op that the architecture uses, and where it would run.</summary>
    private sealed record ShownOp(string Name, string? Title, string? Backend, IReadOnlyList<string> Backends)
    {
        public string Sentence => Backend is null
            ? $"{Name}: no installed plugin has it"
            : Backends.Count == 1 ? $"{Name}: {Backend} (it is written only as tensor code)"
            : $"{Name}: {Backend} of {string.Join(", ", Backends)}";

        public static ShownOp Of(string name, Op? op, torch.Device device)
        {
            if (op is null)
                return new ShownOp(name, null, null, []);
            var here = device.type == DeviceType.CUDA ? KernelChoice.Cuda : KernelChoice.Cpu;
            return new ShownOp(
                name, op.Title, op.Kernels.Any(k => k.Backend == here) ? here : KernelChoice.Reference,
                [KernelChoice.Reference, .. op.Kernels.Select(k => k.Backend)]);
        }

        public JsonObject ToJson() => new()
        {
            ["op"] = Name,
            ["title"] = Title,
            ["backend"] = Backend,
            ["backends"] = RecordValues.List(Backends),
        };
    }

    /// <summary>Everything that is shown.</summary>
    private sealed record Shown(
        InstalledArchitecture Installed, string Preset, ModelConfig Config, ModelConfig Default,
        ModelOutline Outline, IReadOnlyList<ITask> Tasks, IReadOnlyList<ShownOp> Ops)
    {
        public IReadOnlyList<string> Abilities { get; } =
            [.. Enum.GetValues<ModelAbilities>().Where(a => a != 0 && Installed.Info.Abilities.HasFlag(a)).Select(AbilityName)];

        /// <summary>What its uses need.</summary>
        public IReadOnlyList<MemoryNeed> Memory { get; } = Installed.Architecture.MemoryNeeds(Config);

        /// <summary>The task that is meant when none is named.</summary>
        public string? DefaultTask { get; } = Installed.Info.DefaultTask ?? HostTasks.DefaultFor(Installed.Info.Kind);

        /// <summary>Every key, nested ones as "a.b", with its value here and in the default preset.</summary>
        public IReadOnlyList<(string Key, string Value, string Default)> Keys
        {
            get
            {
                var defaults = ConfigJson.Flatten(Default).ToDictionary(k => k.Key, k => ConfigTable.Literal(k.Value));
                return [.. ConfigJson.Flatten(Config).Select(k => (k.Key, ConfigTable.Literal(k.Value), defaults.GetValueOrDefault(k.Key, "")))];
            }
        }

        public JsonObject ToJson()
        {
            var info = Installed.Info;
            return new JsonObject
            {
                ["model"] = info.Name,
                ["title"] = info.Title,
                ["paper"] = info.Paper,
                ["plugin"] = Installed.Plugin,
                ["version"] = Installed.PluginVersion,
                ["kind"] = KindName.Of(info.Kind),
                ["other_kinds"] = RecordValues.List(info.OtherKinds.Select(KindName.Of)),
                ["abilities"] = RecordValues.List(Abilities),
                ["aliases"] = RecordValues.Map(info.Aliases.Select(a => KeyValuePair.Create(a.Name, a.Preset))),
                ["presets"] = RecordValues.List(Installed.Architecture.Presets.Keys),
                ["default_preset"] = info.DefaultPreset,
                ["preset"] = Preset,
                ["config"] = ConfigJson.Write(Config),
                ["defaults"] = ConfigJson.Write(Default),
                ["parameters"] = Outline.ParameterCount,
                ["tensors"] = new JsonObject(Outline.Parameters.Select(p =>
                    KeyValuePair.Create<string, JsonNode?>(p.Name, new JsonArray([.. p.Shape.Select(s => JsonValue.Create(s))])))),
                ["tasks"] = RecordValues.List(Tasks.Select(t => t.Info.Name)),
                ["default_task"] = DefaultTask,
                ["ops"] = new JsonArray([.. Ops.Select(o => o.ToJson())]),
                ["memory"] = new JsonArray([.. Memory.Select(m => new JsonObject
                {
                    ["use"] = m.Use,
                    ["bytes"] = m.Bytes,
                    ["transformer_bytes"] = m.TransformerBytes,
                    ["of"] = m.Of,
                })]),
                ["limits"] = RecordValues.List(info.Limits),
            };
        }
    }
}
