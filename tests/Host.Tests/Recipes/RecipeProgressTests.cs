using Zoo.Host.Cli;
using Zoo.Host.Recipes;
using Zoo.Recipes;

namespace Zoo.Tests.Recipes;

/// <summary>What a recipe says while its trainings run.</summary>
public sealed class RecipeProgressTests
{
    private static readonly Output Quiet = new() { Quiet = true };

    private static readonly RunSpec[] Specs =
    [
        new("mlstm", "xlstm") { Steps = 1000 }, new("mlstm", "xlstm") { Steps = 1000, Seed = 2 }, new("slstm", "xlstm") { Steps = 2000 },
    ];

    [Test]
    public void Words_BeforeAnyStep_SaysNothingOfTheRest() =>
        Assert.That(new RecipeProgress(Quiet, Specs).Words(5), Is.EqualTo("0 of 3 done"));

    /// <summary>One and a half trainings of three took 90 seconds, so the other one and a half take as long.</summary>
    [Test]
    public void Words_OneDoneAndOneHalfway_ReckonsTheRest()
    {
        var progress = new RecipeProgress(Quiet, Specs);
        progress.Step(0, 0);
        progress.Step(0, 1000);
        progress.End(0, "well");
        progress.Step(2, 0);
        progress.Step(2, 1000);
        Assert.That(progress.Words(90), Is.EqualTo("1 of 3 done; slstm, seed 1: step 1,000 of 2,000; about 1 min 30 s left"));
    }

    /// <summary>A run of an earlier call costs nothing now, and one that goes on costs what it lacks.</summary>
    [Test]
    public void Words_OneFinishedEarlierAndOneResumed_CountsOnlyThisCall()
    {
        var progress = new RecipeProgress(Quiet, Specs);
        progress.End(0, "finished earlier");
        progress.Step(1, 500);
        progress.Step(1, 750);
        Assert.That(progress.Words(10), Is.EqualTo("1 of 3 done; mlstm, seed 2: step 750 of 1,000; about 50 s left"));
    }

    [Test]
    public void Words_StepsLeftToTheTask_SaysTheStepAndNoTime()
    {
        var progress = new RecipeProgress(Quiet, [new RunSpec("mlstm", "xlstm")]);
        progress.Step(0, 0);
        progress.Step(0, 1500);
        Assert.That(progress.Words(10), Is.EqualTo("0 of 1 done; mlstm, seed 1: step 1,500"));
    }
}
