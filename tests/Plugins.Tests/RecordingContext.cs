using Zoo.Recipes;
using Zoo.Reports;

namespace Zoo.Tests;

/// <summary>A recipe's surroundings without a host: keeps what it reports. A test of one that trains says what its runs give.</summary>
internal class RecordingContext : IRecipeContext
{
    public RecipeScale Scale { get; init; } = RecipeScale.Quick;

    public IReadOnlyList<int> Seeds { get; init; } = [1];

    public string? DataPath { get; init; }

    public int Threads => 1;

    public CancellationToken Cancellation => default;

    /// <summary>Rows in the order of their reports.</summary>
    public List<RecipeRow> Rows { get; } = [];

    /// <summary>What was attached, in order.</summary>
    public List<ReportItem> Items { get; } = [];

    public bool IsInstalled(string architecture) => true;

    public virtual IReadOnlyList<RunResult> Train(IReadOnlyList<RunSpec> specs) => throw new NotSupportedException();

    public void Report(RecipeRow row) => Rows.Add(row);

    public void Attach(ReportItem item) => Items.Add(item);

    public void Note(string text) => TestContext.Out.WriteLine(text);
}
