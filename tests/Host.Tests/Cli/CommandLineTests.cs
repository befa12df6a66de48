namespace Zoo.Tests.Cli;

/// <summary>What every verb's command line takes and refuses, before anything is loaded.</summary>
internal sealed class CommandLineTests
{
    [TestCase("--version")]
    [TestCase("list --version")]
    [TestCase("train --version")]
    public void Version_AfterAnyVerb_IsPrinted(string command)
    {
        var ended = ZooProcess.Run(command.Split(' '));

        Assert.That((ended.ExitCode, ended.Error), Is.EqualTo((0, "")));
        Assert.That(ended.Output, Does.Match(@"^\d+\.\d+\.\d+"));
    }

    /// <summary>As a variable of the shell gives it that is not set: `--data "$DATA"`.</summary>
    [TestCase("train mamba --data", "--data")]
    [TestCase("train mamba --out", "--out")]
    [TestCase("train --resume", "--resume")]
    [TestCase("eval run --data", "--data")]
    [TestCase("eval", "<run>")]
    [TestCase("generate", "<run>")]
    [TestCase("export run", "<path>")]
    [TestCase("import mamba", "<path>")]
    [TestCase("import mamba x --out", "--out")]
    [TestCase("report", "<run>")]
    [TestCase("report run --out", "--out")]
    [TestCase("reproduce lecun1989 --data", "--data")]
    [TestCase("reproduce lecun1989 --out", "--out")]
    public void Path_Empty_IsASentence(string command, string which)
    {
        var ended = ZooProcess.Run([.. command.Split(' '), ""]);

        Assert.That((ended.ExitCode, ended.Output), Is.EqualTo((2, "")));
        Assert.That(ended.Error, Does.StartWith($"{which} is empty: it must be the name of a file or folder.\n"));
    }

    [TestCase("train mamba --seed -3000000000", "--seed -3000000000: it must be a whole number, at least -2147483648.")]
    [TestCase("train mamba --batch-size 2000000000", "--batch-size 2000000000: it must be a whole number from 1 up, at most 16777216.")]
    [TestCase("bench mamba --batch-size 2000000000", "--batch-size 2000000000: it must be a whole number from 1 up, at most 16777216.")]
    public void Number_OutOfRange_SaysTheRange(string command, string expected)
    {
        var ended = ZooProcess.Run(command.Split(' '));

        Assert.That(ended.ExitCode, Is.EqualTo(2));
        Assert.That(ended.Error, Does.StartWith(expected + "\n"));
    }
}
