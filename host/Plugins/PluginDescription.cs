using System.Reflection;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Kernels;

namespace Zoo.Host.Plugins;

/// <summary>Whether what a plugin says of its architectures, tasks, ops and recipes can be used. Every problem is found before any is reported.</summary>
internal static class PluginDescription
{
    private const string NameRule = "letters, digits, '.', '_' and '-', not starting with '.' or '-'";

    /// <summary>Refuses a plugin whose descriptions cannot be used.</summary>
    /// <exception cref="PluginRefusedException">They cannot; the message has every problem.</exception>
    public static void Require(LoadedPlugin plugin)
    {
        var problems = new List<string>();
        foreach (var architecture in plugin.Architectures)
            Guard(problems, architecture, () => Problems(architecture));
        foreach (var task in plugin.Tasks)
            Guard(problems, task, () => NameProblems($"{task.GetType().FullName}'s task", task.Info.Name));
        foreach (var op in plugin.Ops)
            Guard(problems, op, () => Problems(op));
        foreach (var recipe in plugin.Recipes)
            Guard(problems, recipe, () => NameProblems($"{recipe.GetType().FullName}'s recipe", recipe.Info.Name));
        if (problems.Count > 0)
            throw new PluginRefusedException(string.Join(' ', problems));
    }

    /// <summary>Runs the plugin's own code, which may throw anything.</summary>
    private static void Guard(List<string> problems, object subject, Func<IEnumerable<string>> find)
    {
        try
        {
            problems.AddRange([.. find()]);
        }
        catch (Exception e)
        {
            problems.Add($"{subject.GetType().FullName} fails when it is asked what it is. {PluginActivation.Describe(e)}");
        }
    }

    private static IEnumerable<string> Problems(Op op)
    {
        foreach (var problem in NameProblems($"{op.GetType().FullName}'s op", op.Name))
            yield return problem;
        // Asked first, as most ops pass it: the kernels of every op are not made for each command.
        var specs = op.GetType().GetMethod("OutputSpecs", BindingFlags.Instance | BindingFlags.NonPublic, [typeof(OpCall)]);
        if (specs?.DeclaringType == typeof(Op) && op.Kernels.Count > 0)
            yield return $"its op '{op.Name}' has kernels, and {op.GetType().FullName} does not override OutputSpecs, which says what they fill.";
    }

    private static IEnumerable<string> Problems(IModelArchitecture architecture)
    {
        var info = architecture.Info;
        if (!Names.IsValid(info.Name ?? ""))
        {
            foreach (var problem in NameProblems($"{architecture.GetType().FullName}'s architecture", info.Name))
                yield return problem;
            yield break;
        }
        var presets = architecture.Presets;
        foreach (var name in presets.Keys.Where(name => !Names.IsValid(name)))
            yield return $"{info.Name}'s preset '{name}' has a name that is not allowed: {NameRule}.";
        if (!presets.ContainsKey(info.DefaultPreset))
            yield return $"{info.Name} has no preset '{info.DefaultPreset}', which is its default; it has {List(presets.Keys)}.";
        foreach (var alias in info.Aliases)
        {
            foreach (var problem in NameProblems($"{info.Name}'s alias", alias.Name))
                yield return problem;
            if (!presets.ContainsKey(alias.Preset))
                yield return $"{info.Name}'s alias '{alias.Name}' means the preset '{alias.Preset}', which it does not have; it has {List(presets.Keys)}.";
        }
        foreach (var (name, config) in presets)
        {
            foreach (var problem in ConfigJson.Problems(config))
                yield return $"{info.Name}'s preset '{name}' is wrong: {problem}";
        }
    }

    private static IEnumerable<string> NameProblems(string what, string? name) =>
        Names.IsValid(name ?? "") ? [] : [$"{what} has the name '{name}', which is not allowed: {NameRule}."];

    private static string List(IEnumerable<string> names) => string.Join(", ", names) is { Length: > 0 } list ? list : "none";
}
