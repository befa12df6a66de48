using System.Text.Json.Nodes;
using Spectre.Console;
using Zoo.Configuration;
using Zoo.Tasks;

namespace Zoo.Host.Cli;

/// <summary>What `zoo show` says of a task; it is not opened.</summary>
/// <param name="Task">The task.</param>
internal sealed record ShownTask(ITask Task)
{
    private TaskInfo Info => Task.Info;

    /// <summary>The options under which the example is the first one of seed 1.</summary>
    private string ExampleSets => string.Join(' ', (Info.ExampleOptions ?? []).Select(option => $"--set task.{option}"));

    public JsonObject ToJson() => new()
    {
        ["task"] = Info.Name,
        ["title"] = Info.Title,
        ["kind"] = KindName.Of(Info.Kind),
        ["version"] = Info.Version,
        ["skill"] = Info.Skill,
        ["example"] = Info.Example,
        ["example_options"] = Info.ExampleOptions is { } options ? RecordValues.List(options) : null,
        ["chance"] = Info.Chance,
        ["data"] = Info.DataHelp,
        ["options"] = ConfigJson.Write(Task.Options),
    };

    /// <param name="output">Where it is said.</param>
    /// <param name="models">Names of architectures that can learn it.</param>
    public void Say(Output output, IReadOnlyList<string> models)
    {
        output.Say($"{Info.Name}: {Info.Title}");
        Line("kind", $"for a model of kind {KindName.Of(Info.Kind)}");
        Line("models", models.Count == 0 ? "none is installed" : string.Join(", ", models));
        Line("probes", Info.Skill);
        Line("example", Info.Example);
        Line("", ExampleSets.Length > 0 ? $"({ExampleSets})" : "");
        Line("chance", Info.Chance);
        Line("--data", Info.DataHelp ?? "none: it generates its examples");
        output.Say("");

        var table = new Table { Border = TableBorder.Simple };
        table.AddColumn("Option (--set task.KEY)");
        table.AddColumn("Default");
        foreach (var (key, value) in ConfigJson.Flatten(Task.Options))
            table.AddRow(new Text(key), new Text(ConfigTable.Literal(value)));
        output.Results.Write(table);

        void Line(string heading, string text)
        {
            if (text.Length > 0)
                output.Say($"  {heading,-10}  {text}");
        }
    }
}
