using System.CommandLine;
using System.Text.Json.Nodes;

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
            SayArchitectures(session, architectures);
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
            session.Output.Say($"  Tasks for {KindName.Of(tasks.Key)}: {string.Join(", ", tasks.Select(t => t.Info.Name))}");
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
            ["kind"] = KindName.Of(info.Kind),
            ["other_kinds"] = RecordValues.List(info.OtherKinds.Select(KindName.Of)),
            ["aliases"] = RecordValues.Map(info.Aliases.Select(a => KeyValuePair.Create(a.Name, a.Preset))),
            ["presets"] = RecordValues.List(installed.Architecture.Presets.Keys),
        };
    }

    /// <summary>Plain lines, which any width of terminal shows: a table's library takes as long as loading three plugins.</summary>
    private static void SayArchitectures(Session session, IReadOnlyList<InstalledArchitecture> architectures)
    {
        var width = architectures.Max(a => a.Info.Name.Length) + 2;
        foreach (var installed in architectures)
        {
            var info = installed.Info;
            session.Output.Say($"  {info.Name.PadRight(width)}{info.Title}");
            Detail(info.Paper);
            Detail($"{KindName.OfAll(info)}; plugin {installed.Plugin} {installed.PluginVersion}");
            Detail($"presets {string.Join(", ", installed.Architecture.Presets.Keys)}");
            if (info.Aliases.Count > 0)
                Detail(string.Join(", ", info.Aliases.Select(a => $"{a.Name} = preset {a.Preset}")));
        }

        void Detail(string text) => session.Output.Say(new string(' ', width + 2) + text);
    }
}
