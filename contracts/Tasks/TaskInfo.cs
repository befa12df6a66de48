using Zoo.Architectures;

namespace Zoo.Tasks;

/// <summary>What a task says of itself.</summary>
/// <param name="Name">What the user types, in kebab-case.</param>
/// <param name="Title">One line for a list.</param>
/// <param name="Kind">The kind of model it is for.</param>
public sealed record TaskInfo(string Name, string Title, ModelKind Kind)
{
    /// <summary>The skill that it probes.</summary>
    public required string Skill { get; init; }

    /// <summary>One literal example, as the generator gives it.</summary>
    public required string Example { get; init; }

    /// <summary>
    /// The task's options, as typed after `--set task.`, under which <see cref="Example"/> is training example 0 of seed 1, as
    /// <see cref="TaskData.Describe"/> puts it; null where the example is no such literal one.
    /// </summary>
    public IReadOnlyList<string>? ExampleOptions { get; init; }

    /// <summary>What guessing scores, in words.</summary>
    public required string Chance { get; init; }

    /// <summary>What `--data` may name; null where the task takes no data.</summary>
    public string? DataHelp { get; init; }

    /// <summary>Version of the generator: a sample is a function of task, version, seed and index.</summary>
    public int Version { get; init; } = 1;
}
