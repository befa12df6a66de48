using System.Text.Json.Nodes;
using Zoo.Kernels;

namespace Zoo.Host.Cli;

/// <summary>What `zoo show --op` says of an op; it is not called.</summary>
/// <param name="Op">The op.</param>
/// <param name="Plugin">Name and version of the plugin that has it; null for the contract's own.</param>
internal sealed record ShownOperator(Op Op, string? Plugin)
{
    private IReadOnlyList<string> Backends { get; } = [.. Op.Kernels.Select(k => k.Backend), KernelChoice.Reference];

    public JsonObject ToJson() => new()
    {
        ["op"] = Op.Name,
        ["title"] = Op.Title,
        ["plugin"] = Plugin,
        ["arguments"] = new JsonArray([.. Op.Arguments.Select(a => new JsonObject
        {
            ["name"] = a.Name,
            ["axes"] = new JsonArray([.. Forms(a).Select(RecordValues.List)]),
            ["dtype"] = a.Dtype?.ToString(),
            ["optional"] = a.Optional,
            ["gradient"] = a.HasGradient,
            ["updated"] = a.Updated,
        })]),
        ["options"] = RecordValues.List(Op.Options),
        ["outputs"] = RecordValues.List(Op.Outputs),
        ["backends"] = RecordValues.List(Backends),
        ["baselines"] = RecordValues.List(Op.Baselines.Select(b => b.Name)),
        ["cases"] = RecordValues.List(Op.CaseNames),
    };

    /// <param name="output">Where it is said.</param>
    public void Say(Output output)
    {
        output.Say($"{Op.Name}: {Op.Title}");
        Line("plugin", Plugin ?? "none: every host has it");
        for (var i = 0; i < Op.Arguments.Count; i++)
            Line(i == 0 ? "arguments" : "", Sentence(Op.Arguments[i]));
        Line("options", string.Join(", ", Op.Options));
        Line("outputs", string.Join(", ", Op.Outputs));
        Line("backends", string.Join(", ", Backends));
        Line("baselines", string.Join(", ", Op.Baselines.Select(b => b.Name)));
        Line("try it", $"zoo bench --op {Op.Name} --shape {string.Join(',', Op.Arguments.SelectMany(a => a.Letters).Distinct().Select(l => $"{l}=…"))}");

        void Line(string heading, string text)
        {
            if (text.Length > 0)
                output.Say($"  {heading,-10}  {text}");
        }
    }

    private static string Sentence(OpArgument argument)
    {
        string?[] notes =
        [
            argument.Dtype?.ToString(),
            argument.Optional ? "optional" : null,
            argument.Updated ? "changed in place" : argument.HasGradient ? null : "no gradient",
        ];
        var said = string.Join(", ", notes.OfType<string>());
        return $"{argument.Name} {string.Join(" or ", Forms(argument).Select(axes => $"[{string.Join(", ", axes)}]"))}{(said.Length > 0 ? $" ({said})" : "")}";
    }

    private static IEnumerable<IReadOnlyList<string>> Forms(OpArgument argument) => argument.OtherAxes.Prepend(argument.Axes);
}
