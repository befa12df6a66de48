using System.CommandLine;
using System.Text.Json.Nodes;
using Zoo.Host.Plugins;

namespace Zoo.Host.Cli;

/// <summary>`zoo plugins`: every plugin that was found, and why one is not used.</summary>
internal sealed class PluginsCommand() : ZooCommand("plugins", "Plugins found, loaded, disabled and why; where they lie and what they were built for.")
{
    public override int Run(ParseResult arguments, Session session)
    {
        var (plugins, output) = (session.Plugins, session.Output);
        foreach (var record in plugins.Records)
        {
            var sha256 = record.Sha256();
            output.Record(Record(record, sha256));
            if (!output.Json)
                Say(output, record, sha256, plugins.Plugins.FirstOrDefault(p => p.Path == record.Path));
        }
        if (output.Json)
            return ExitCode.Done;

        output.Say($"{plugins.Plugins.Count} loaded, {plugins.Disabled.Count} disabled. Looked in:");
        foreach (var folder in plugins.Folders)
            output.Say($"  {folder.Path}{(Directory.Exists(folder.Path) ? "" : " (does not exist)")}");
        return ExitCode.Done;
    }

    private static JsonObject Record(PluginRecord record, string? sha256) => new()
    {
        ["plugin"] = record.Name,
        ["version"] = record.Version,
        ["path"] = record.Path,
        ["sha256"] = sha256,
        ["status"] = record.Status == PluginStatus.Loaded ? "loaded" : "disabled",
        ["reason"] = record.Reason,
        ["contract"] = record.Contract,
        ["torchsharp"] = record.TorchSharp,
    };

    private static void Say(Output output, PluginRecord record, string? sha256, LoadedPlugin? plugin)
    {
        output.Say(plugin is null ? record.Sentence : $"Plugin '{record.Name}' {record.Version}");
        output.Say($"  path           {record.Path}");
        if (sha256 is not null)
            output.Say($"  SHA-256        {sha256}");
        if (record.Contract is not null)
            output.Say($"  built against  Zoo.Contracts {record.Contract}, TorchSharp {record.TorchSharp}");
        if (plugin is not null)
        {
            Say(output, "architectures", plugin.Architectures.Select(a => a.Info.Name));
            Say(output, "tasks", plugin.Tasks.Select(t => t.Info.Name));
            Say(output, "ops", plugin.Ops.Select(o => o.Name));
            Say(output, "recipes", plugin.Recipes.Select(r => r.Info.Name));
        }
        output.Say("");
    }

    private static void Say(Output output, string what, IEnumerable<string> names)
    {
        if (string.Join(", ", names) is { Length: > 0 } list)
            output.Say($"  {what,-13}  {list}");
    }
}
