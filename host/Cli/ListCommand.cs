using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;
using Zoo.Architectures;

namespace Zoo.Host.Cli;

/// <summary>`zoo list`: the architectures that are installed, and the tasks that they can learn.</summary>
internal sealed class ListCommand() : ZooCommand("list", "The architectures that are installed, their presets and where they come from, and the tasks that they can learn.")
{
    public override int Run(ParseResult arguments, Session session)
    {
        var architectures = session.Catalog.Architectures;
        foreach (var installed in architectures)
            session.Output.Record(Record(installed));
        if (!session.Output.Json && architectures.Count > 0)
            session.Output.Results.Write(Table(architectures));
        if (!session.Output.Json)
            SayTasks(session);
        if (architectures.Count == 0)
            session.Output.Note("No architecture is installed. `zoo plugins` says where plugins are looked for.");

        var disabled = session.Catalog.DisabledPlugins.Count;
        if (disabled > 0)
            session.Output.Note(disabled == 1 ? "1 plugin is disabled: `zoo plugins` says why." : $"{disabled} plugins are disabled: `zoo plugins` says why.");
        return ExitCode.Done;
    }

    private static void SayTasks(Session session)
    {
        foreach (var tasks in session.Catalog.Tasks.GroupBy(t => t.Info.Kind).OrderBy(g => g.Key))
            session.Output.Say($"  Tasks for {Kind(tasks.Key)}: {string.Join(", ", tasks.Select(t => t.Info.Name))}");
        session.Output.Say("  `zoo show NAME` says more of a model or task.");
    }

    private static JsonObject Record(InstalledArchitecture installed)
    {
        var info = installed.Info;
        return new JsonObject
        {
            ["model"] = info.Name,
            ["title"] = info.Title,
            ["paper"] = info.Paper,
            ["plugin"] = installed.Plugin,
            ["version"] = installed.PluginVersion,
            ["kind"] = Kind(info.Kind),
            ["other_kinds"] = new JsonArray([.. info.OtherKinds.Select(kind => JsonValue.Create(Kind(kind)))]),
            ["aliases"] = new JsonObject(info.Aliases.Select(a => KeyValuePair.Create<string, JsonNode?>(a.Name, a.Preset))),
            ["presets"] = new JsonArray([.. installed.Architecture.Presets.Keys.Select(name => JsonValue.Create(name))]),
        };
    }

    private static Table Table(IReadOnlyList<InstalledArchitecture> architectures)
    {
        var table = new Table { Border = TableBorder.Simple };
        foreach (var heading in (string[])["Model", "What", "Kind", "Presets", "Plugin"])
            table.AddColumn(heading);
        foreach (var installed in architectures)
        {
            var info = installed.Info;
            var aliases = info.Aliases.Select(a => $"\n  {a.Name} = preset {a.Preset}");
            table.AddRow(
                new Text(info.Name + string.Concat(aliases)),
                new Text($"{info.Title}\n{info.Paper}"),
                new Text(string.Join('\n', info.OtherKinds.Prepend(info.Kind).Select(Kind))),
                new Text(string.Join(", ", installed.Architecture.Presets.Keys)),
                new Text($"{installed.Plugin} {installed.PluginVersion}"));
        }
        return table;
    }

    private static string Kind(ModelKind kind) => JsonNamingPolicy.KebabCaseLower.ConvertName(kind.ToString());
}
