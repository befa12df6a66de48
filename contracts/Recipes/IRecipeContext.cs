using Zoo.Reports;

namespace Zoo.Recipes;

/// <summary>What the harness offers a recipe.</summary>
public interface IRecipeContext
{
    /// <summary>How much to run.</summary>
    RecipeScale Scale { get; }

    /// <summary>The seeds to run, at least one.</summary>
    IReadOnlyList<int> Seeds { get; }

    /// <summary>`--data`, or null.</summary>
    string? DataPath { get; }

    /// <summary>Threads that the whole recipe may use.</summary>
    int Threads { get; }

    /// <summary>Ends the recipe early.</summary>
    CancellationToken Cancellation { get; }

    /// <summary>Whether an architecture is installed, so that a recipe can do without one and say so.</summary>
    bool IsInstalled(string architecture);

    /// <summary>
    /// Trains every spec as `zoo train` would, each in a process of its own, as many at once as there are threads for. A run that ended in an
    /// error has a <see cref="RunResult.Failure"/>.
    /// </summary>
    /// <returns>Results in the order of <paramref name="specs"/>.</returns>
    /// <exception cref="OperationCanceledException">Interrupted; finished runs stay in their folders.</exception>
    IReadOnlyList<RunResult> Train(IReadOnlyList<RunSpec> specs);

    /// <summary>Reports a row of the table.</summary>
    void Report(RecipeRow row);

    /// <summary>Adds something to the report beside the table: a plot, a note.</summary>
    void Attach(ReportItem item);

    /// <summary>Says something to the user while it runs.</summary>
    void Note(string text);
}
