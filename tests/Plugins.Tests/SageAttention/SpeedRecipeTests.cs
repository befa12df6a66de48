using Zoo.Recipes;
using Zoo.Reports;
using Zoo.SageAttention.Recipes;
using static TorchSharp.torch;

namespace Zoo.Tests.SageAttention;

/// <summary>The recipe of speed: its rows and plots, on short sequences and without a card.</summary>
public sealed class SpeedRecipeTests
{
    [Test]
    public void Run_ShortSequences_ReportsSpeedupAndFloorOfEachLength()
    {
        var context = new RecordingContext();
        new SpeedRecipe([64, 96]).Run(context);
        var rows = context.Rows.Where(r => r.Row.StartsWith("length", StringComparison.Ordinal)).ToList();
        Assert.That(rows.Select(r => r.Row), Is.EqualTo(new[] { "length 64", "length 96" }));
        foreach (var row in rows)
        {
            Assert.That(row.Ours.Single(), Is.GreaterThan(0).And.LessThan(double.PositiveInfinity));
            Assert.That(row.Reason, Does.Contain("times the floor of the two products").And.Not.Contain("NaN").And.Not.Contain("∞"));
        }
        if (!cuda.is_available())
            Assert.That(context.Rows.Single(r => r.Row == "on a card").Verdict, Is.EqualTo(RecipeVerdict.NotAttempted));
    }

    [Test]
    public void RunOnACard_MadeUpTimes_ReportsEverySizeOnceWithItsVerdict()
    {
        var context = new RecordingContext();
        CardSpeed.Run(context, (dim, length, causal) => (1, length == 16384 && !causal ? 2.6 : 2.5));
        Assert.That(context.Rows, Has.Count.EqualTo(2 * 2 * 5));
        Assert.That(context.Rows.Select(r => r.Row), Is.Unique.And.All.StartWith("on a card, heads of "));
        Assert.That(context.Rows.Where(r => r.Verdict == RecipeVerdict.Reproduced).Select(r => r.Row), Is.EqualTo(new[]
        {
            "on a card, heads of 64, length 16,384", "on a card, heads of 128, length 16,384",
        }));
        Assert.That(context.Items.OfType<PlotItem>().Select(p => p.Curves.Count), Is.EqualTo(new[] { 2, 2, 2, 2 }));
    }
}
