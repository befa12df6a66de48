namespace Zoo.Tests.Generation;

/// <summary>A language model trained, benchmarked and asked for text as users do it.</summary>
internal sealed class GenerateCommandTests
{
    private DirectoryInfo _folder = null!;
    private string _run = "";

    [OneTimeSetUp]
    public void Train()
    {
        _folder = Directory.CreateTempSubdirectory("zoo-generate-");
        var trained = ZooProcess.Run(
            ["train", "mingru", "--preset", "tiny", "--task", "char-lm", "--steps", "3", "--dtype", "bf16", "--out", _folder.FullName, "--json", "--quiet"]);
        Assert.That(trained.ExitCode, Is.Zero, trained.Error);
        var done = trained.Records[^1];
        Assert.That(done["peak_memory_bytes"]!.GetValue<long>(), Is.Positive);
        Assert.That(done["tokens_per_second"]!.GetValue<double>(), Is.Positive);
        _run = done["run"]!.GetValue<string>();
    }

    [OneTimeTearDown]
    public void Remove() => _folder.Delete(recursive: true);

    [Test]
    public void Generate_SameSeed_SameTextOnStandardOutputAndNothingElse()
    {
        var first = Generate("--prompt", "the ", "--tokens", "30", "--seed", "5");
        var second = Generate("--prompt", "the ", "--tokens", "30", "--seed", "5");

        Assert.That(first.ExitCode, Is.Zero, first.Error);
        Assert.That(first.Output, Does.StartWith("the ").And.EndsWith("\n"));
        Assert.That(first.Output.Length, Is.EqualTo("the ".Length + 30 + 1));
        Assert.That(second.Output, Is.EqualTo(first.Output));
        Assert.That(first.Error, Does.Contain("tokens/s"));
    }

    [Test]
    public void Generate_Json_HasTokensTextsAndTheRate()
    {
        var outcome = Generate("--prompt", "a", "--tokens", "4", "--samples", "2", "--top-k", "3", "--top-p", "0.9", "--dtype", "bf16", "--json", "--quiet");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        Assert.That(outcome.Records.Select(r => r["event"]!.GetValue<string>()),
            Is.EqualTo(Enumerable.Repeat("token", 8).Concat(["text", "text", "done"])));
        for (var i = 0; i < 2; i++)
        {
            var pieces = outcome.Records.Where(r => r["event"]!.GetValue<string>() == "token" && r["sample"]!.GetValue<int>() == i);
            Assert.That(outcome.Records[8 + i]["text"]!.GetValue<string>(), Is.EqualTo(string.Concat(pieces.Select(p => p["text"]!.GetValue<string>()))));
        }
        Assert.That(outcome.Records[^1]["tokens_per_second"]!.GetValue<double>(), Is.Positive);
        Assert.That(outcome.Records[^1]["backends"]!["bf16_linear"]!.GetValue<string>(), Is.EqualTo("cpu"));
    }

    [TestCase("--prompt \u00DF", "'\u00DF' (U+00DF), is none of the")]
    [TestCase("--top-p 0", "--top-p 0: it must be a number above 0 and at most 1.")]
    [TestCase("--top-k 0", "--top-k 0: it must be a whole number from 1 up.")]
    [TestCase("--temperature -1", "--temperature -1: it must be a number from 0 up.")]
    [TestCase("--tokens 0", "--tokens 0: it must be a whole number from 1 up.")]
    [TestCase("--samples 2000000000", "--samples 2000000000: it must be a whole number from 1 up, at most 65536.")]
    [TestCase("--dtype int8", "--dtype int8: it must be fp32 or bf16.")]
    public void Generate_BadInput_IsASentence(string options, string expected)
    {
        var refused = Generate(options.Split(' '));
        Assert.That((refused.ExitCode, refused.Output), Is.EqualTo((2, "")));
        Assert.That(refused.Error, Does.Contain(expected).And.Not.Contain("   at "));
    }

    [Test]
    public void Generate_TextOfAnotherRun_IsASentence()
    {
        var text = Path.Combine(CopyOfTheRun("other-text"), "text.json");
        File.WriteAllText(text, """{"encoding":"bytes"}""");
        var refused = ZooProcess.Run(["generate", Path.GetDirectoryName(text)!, "--prompt", "zzz", "--tokens", "3"]);
        Assert.That((refused.ExitCode, refused.Output), Is.EqualTo((2, "")));
        Assert.That(refused.Error, Does.Contain($"'{text}' has 256 ids and the run's model 52: it is another run's."));
    }

    [Test]
    public void Generate_RunWithoutWhatItsIdsMean_GivesIdsAndSaysSo()
    {
        var run = CopyOfTheRun("no-text");
        File.Delete(Path.Combine(run, "text.json"));

        var outcome = ZooProcess.Run(["generate", run, "--prompt", "5 12", "--tokens", "3"]);

        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        Assert.That(outcome.Output, Does.Match(@"^5 12 \d+ \d+ \d+\n$"));
        Assert.That(outcome.Error, Does.Contain("The run has no text.json, which says what ids mean: the prompt is ids, and so is what comes."));
    }

    [Test]
    public void Eval_OtherArithmetic_GivesNearlyTheSame()
    {
        var losses = new[] { "bf16", "fp32" }.Select(dtype =>
        {
            var outcome = ZooProcess.Run(["eval", _run, "--dtype", dtype, "--json", "--quiet"]);
            Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
            return outcome.Records[0]["value"]!.GetValue<double>();
        }).ToList();
        Assert.That(losses[0], Is.EqualTo(losses[1]).Within(0.01).And.Not.EqualTo(losses[1]));
    }

    [Test]
    public void Set_KeyThatNoWeightDependsOn_ComputesOtherwise()
    {
        var scores = new[] { "true", "false" }.Select(logSpace =>
        {
            var outcome = ZooProcess.Run(["eval", _run, "--set", $"log_space={logSpace}", "--json", "--quiet"]);
            Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
            return outcome.Records[0]["value"]!.GetValue<double>();
        }).ToList();
        Assert.That(scores[0], Is.Not.EqualTo(scores[1]));

        var texts = new[] { "true", "false" }.Select(logSpace => Generate("--tokens", "40", "--set", $"log_space={logSpace}")).ToList();
        Assert.That(texts.Select(t => t.ExitCode), Is.All.Zero, texts[1].Error);
        Assert.That(texts[0].Output, Is.Not.EqualTo(texts[1].Output));
    }

    [TestCase("dim=20", "'token_emb.weight' is [52, 16] but must be [52, 20].")]
    [TestCase("dims=20", "dims")]
    [TestCase("task.length=20", "--set task.length=20: here it takes keys of the model's config; task and training are those of the run.")]
    [TestCase("dim", "--set dim: it must be key=value")]
    public void Set_KeyThatDoesNotFit_IsASentence(string set, string expected)
    {
        foreach (var verb in new[] { "eval", "generate" })
        {
            var refused = ZooProcess.Run([verb, _run, "--set", set]);
            Assert.That((refused.ExitCode, refused.Output), Is.EqualTo((2, "")));
            Assert.That(refused.Error, Does.Contain(expected).And.Not.Contain("   at "));
        }
    }

    [TestCase("train")]
    [TestCase("prefill")]
    [TestCase("decode")]
    public void Bench_EveryMode_HasTheKeys(string mode)
    {
        var outcome = ZooProcess.Run(
            ["bench", "mingru", "--preset", "tiny", "--mode", mode, "--dtype", "bf16", "--batch-size", "2", "--length", "20", "--runs", "2", "--warmup", "1", "--json", "--quiet"]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        var record = outcome.Records.Single();
        Assert.That((record["mode"]!.GetValue<string>(), record["dtype"]!.GetValue<string>(), record["time"]!.GetValue<int>()), Is.EqualTo((mode, "bf16", 20)));
        Assert.That(record["late_over_early"] is null, Is.EqualTo(mode != "decode"));
        Assert.That(record["tokens_per_second"]!.GetValue<double>(), Is.Positive);
        Assert.That(record["peak_memory_bytes"]!.GetValue<long>(), Is.GreaterThan(record["memory_before_bytes"]!.GetValue<long>()));
    }

    /// <summary>As `zoo generate … | head` does.</summary>
    [Test]
    public void Generate_NobodyReadsAnyMore_Ends()
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("Windows' pipes say it themselves.");
        var start = new System.Diagnostics.ProcessStartInfo("dotnet", [Path.Combine(ZooProcess.Folder, "zoo.dll"), "generate", _run, "--tokens", "100000000", "--quiet"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Remove("ZOO_PLUGINS");
        using var process = System.Diagnostics.Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        Assert.That(process.StandardOutput.Read(), Is.Not.Negative, "something came");
        process.StandardOutput.Close();
        var ended = process.WaitForExit(TimeSpan.FromSeconds(60));
        if (!ended)
            process.Kill();
        Assert.That(ended, "it goes on for nobody");
        Assert.That((process.ExitCode, errors.Result), Is.EqualTo((130, "")));
    }

    private string CopyOfTheRun(string name)
    {
        var run = Path.Combine(_folder.FullName, name);
        foreach (var file in Directory.EnumerateFiles(_run, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(run, Path.GetRelativePath(_run, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        return run;
    }

    private ZooProcess.Outcome Generate(params string[] options) => ZooProcess.Run(["generate", _run, .. options]);
}
