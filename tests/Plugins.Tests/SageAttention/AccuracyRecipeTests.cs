using Zoo.Recipes;
using Zoo.SageAttention.Recipes;
using static TorchSharp.torch;

namespace Zoo.Tests.SageAttention;

/// <summary>The accuracy tables: small, and at the recipe's own quick scale when asked for by name.</summary>
public sealed class AccuracyRecipeTests
{
    [Test]
    public void Run_SmallAttention_ReportsEveryArmTwiceWithTheSmoothingClaimsMet()
    {
        using var scope = NewDisposeScope();
        var context = new RecordingContext { Seeds = [1, 2] };
        new AccuracyRecipe(new AttentionSize(Heads: 2, Queries: 128, Keys: 512, Dim: 64)).Run(context);
        Assert.That(context.Rows, Has.Count.EqualTo(34));
        Assert.That(context.Rows.Select(r => r.Ours.Count), Is.All.EqualTo(2));
        Assert.That(context.Rows.Select(r => (r.Row, r.Metric)), Is.Unique);
        var errors = context.Rows.Where(r => r.Metric == "rel_l1").ToDictionary(r => r.Row, r => r.Ours.Max());
        Assert.That(errors["int4-smooth-qk"], Is.LessThan(errors["int4-smooth-k"]).And.LessThan(errors["int4-smooth-q"]));
        Assert.That(errors["int4-none"], Is.GreaterThan(errors["int4-smooth-k"]).And.GreaterThan(errors["int4-smooth-q"]));
        Assert.That(context.Rows.Single(r => r is { Row: "int8-smooth-k", Metric: "cos_sim" }).Ours.Min(), Is.GreaterThan(0.999));
        foreach (var row in context.Rows)
            Assert.That(row.Reason.Contains("does not hold", StringComparison.Ordinal), Is.EqualTo(row.Verdict == RecipeVerdict.NotReproduced), row.Row);
    }

    [Test, Explicit("Minutes: the recipe itself.")]
    public void Run_QuickScale_EveryClaimHolds()
    {
        using var scope = NewDisposeScope();
        var context = new RecordingContext { Seeds = [1, 2, 3] };
        new AccuracyRecipe().Run(context);
        foreach (var row in context.Rows)
            TestContext.Out.WriteLine($"{row.Row,-18} {row.Metric,-8} paper {row.Paper,-7} ours {string.Join(", ", row.Ours.Select(o => o.ToString("G5")))}  {row.Verdict}: {row.Reason}");
        Assert.That(context.Rows.Select(r => r.Verdict), Is.All.EqualTo(RecipeVerdict.ScaledEvidence));
    }
}
