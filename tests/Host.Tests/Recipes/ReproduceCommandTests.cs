using Zoo.Recipes;

namespace Zoo.Tests.Recipes;

/// <summary>`zoo reproduce` as users run it, and the numbers of a row.</summary>
public sealed class ReproduceCommandTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("zoo-reproduce-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void Reproduce_NoRecipeNamed_ListsThem()
    {
        var outcome = ZooProcess.Run(["reproduce", "--json"]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        Assert.That(outcome.Records.Select(r => r["recipe"]!.GetValue<string>()), Is.SupersetOf(new[] { "lecun1989", "batchnorm" }));
    }

    /// <summary>The whole ladder on generated digits with one seed: half a minute of one core; and once more, when every run is there already.</summary>
    [Test]
    public void Reproduce_LadderOnGeneratedDigits_ReportsEveryRowAndKeepsFinishedRuns()
    {
        string[] arguments = ["reproduce", "lecun1989", "--seeds", "1", "--out", _folder, "--json"];
        var outcome = ZooProcess.Run(arguments);
        Assert.That(outcome.Records.Select(r => r["row"]!.GetValue<string>()), Is.EqualTo(["base", "softmax", "adamw", "shift", "dropout-relu", "more-data"]), outcome.Error);
        foreach (var record in outcome.Records)
        {
            Assert.That(record.Select(p => p.Key), Is.SupersetOf(new[]
            {
                "recipe", "row", "metric", "paper", "reference", "ours", "ours_sd", "seeds", "scale", "verdict", "reason",
            }));
            Assert.That(record["verdict"]!.GetValue<string>(), Is.AnyOf("scaled-evidence", "not-reproduced", "not-attempted"), "these are not the reproduction's digits");
            Assert.That(record["metric"]!.GetValue<string>(), Is.EqualTo("test_error_percent"));
        }
        Assert.That(outcome.Records[0]["ours"]!.GetValue<double>(), Is.InRange(2, 6.5), "generated digits are about as hard as MNIST");
        Assert.That(outcome.Records[5]["ours"], Is.Null);
        Assert.That(outcome.ExitCode, Is.EqualTo(outcome.Records.Any(r => r["verdict"]!.GetValue<string>() == "not-reproduced") ? 1 : 0));

        var again = ZooProcess.Run(arguments);
        Assert.That(again.Output, Is.EqualTo(outcome.Output));
        Assert.That(again.Error, Does.Match(@"dropout-relu, seed 1: .*, finished earlier, [1-9][0-9]* CPU s\n"));
        var cost = outcome.Error.Split('\n').Single(l => l.StartsWith("5 trainings, ", StringComparison.Ordinal));
        Assert.That(cost, Does.Match("^5 trainings, [1-9][0-9,]* CPU seconds$"));
        Assert.That(again.Error, Does.Contain(cost), "what finished runs cost is known from their folders");
        Assert.That(File.ReadAllText(Path.Combine(_folder, "report.html")), Does.Match("training runs, [1-9][0-9,]* CPU seconds"));
        Assert.That(Directory.GetDirectories(Path.Combine(_folder, "runs")).SelectMany(Directory.GetDirectories).Count(), Is.EqualTo(5), "no run was begun again");
        Assert.That(File.ReadAllLines(Path.Combine(_folder, "results.jsonl")), Has.Length.EqualTo(6));
    }

    /// <summary>A folder of the quick scale must not answer for the full one, nor one from before a recipe's set-up was changed.</summary>
    [TestCase("""["lenet1989","--steps","7"]""", "'base-seed1' has --steps 7 where ")]
    [TestCase(null, "'base-seed1' does not say how it was made")]
    public void Reproduce_FolderWithRunsOfOtherSettings_RefusesIt(string? arguments, string words)
    {
        var run = Directory.CreateDirectory(Path.Combine(_folder, "runs", "base-seed1", "20260101-000000-lenet1989-digits")).FullName;
        File.WriteAllText(Path.Combine(run, "config.json"), "{}");
        if (arguments is not null)
            File.WriteAllText(Path.Combine(_folder, "runs", "base-seed1", "arguments.json"), arguments);
        var outcome = ZooProcess.Run(["reproduce", "lecun1989", "--seeds", "1", "--out", _folder, "--quiet"]);
        Assert.That(outcome.Error, Does.StartWith($"--out {_folder}: it has runs of other settings than are asked for.").And.Contain(words));
        Assert.That(outcome.ExitCode, Is.EqualTo(2));
        Assert.That(Directory.GetDirectories(Path.Combine(_folder, "runs")), Has.Length.EqualTo(1), "nothing was trained");
    }

    /// <summary>What fails in one training is that training's sentence: neither many at once nor a mistake of the plugin that has the recipe.</summary>
    [Test]
    public void Reproduce_FolderOfRunsIsAFile_SaysWhichAndEndsWithThree()
    {
        var runs = Path.Combine(_folder, "runs");
        File.WriteAllText(runs, "");
        var outcome = ZooProcess.Run(["reproduce", "lecun1989", "--seeds", "1", "--out", _folder, "--quiet"]);
        Assert.That(outcome.Error, Does.StartWith($"The folder '{runs}").And.Contain("-seed1' cannot be written: ").And.Not.Contain("Plugin"));
        Assert.That(outcome.ExitCode, Is.EqualTo(3));
    }

    [TestCase("reproduce lecun1898", "No recipe is named 'lecun1898'. Did you mean 'lecun1989'?")]
    [TestCase("reproduce lecun1989 --scale big", "--scale big: it must be quick or full.")]
    [TestCase("reproduce lecun1989 --seeds 0", "--seeds 0: it must be a whole number from 1 up.")]
    [TestCase("reproduce lecun1989 --seeds 2000000000", "--seeds 2000000000: it must be a whole number from 1 up, at most 1000.")]
    [TestCase("reproduce lecun1989 --data nowhere", "--data nowhere: there is no such file or folder.")]
    public void Reproduce_BadInput_SaysWhatAndEndsWithTwo(string command, string sentence)
    {
        var outcome = ZooProcess.Run(command.Split(' '), workingDirectory: _folder);
        Assert.That(outcome.Error, Does.StartWith(sentence));
        Assert.That(outcome.ExitCode, Is.EqualTo(2));
        Assert.That(Directory.EnumerateFileSystemEntries(_folder), Is.Empty);
    }

    [Test]
    public void Row_SeveralSeeds_HasMeanAndSampleDeviation()
    {
        var row = new RecipeRow("base", "error", RecipeVerdict.Reproduced, "") { Ours = [1, 2, 3, 6] };
        Assert.That(row.Mean, Is.EqualTo(3));
        Assert.That(row.StandardDeviation, Is.EqualTo(Math.Sqrt(14.0 / 3)).Within(1e-12));
        Assert.That((row with { Ours = [1] }).StandardDeviation, Is.Null);
        Assert.That((row with { Ours = [] }).Mean, Is.Null);
    }
}
