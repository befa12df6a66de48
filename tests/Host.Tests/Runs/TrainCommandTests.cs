using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Zoo.Files;
using Zoo.Host.Runs;

namespace Zoo.Tests.Runs;

/// <summary>`zoo train` and `zoo eval` as users run them, with the LeNet plugin and the digits that it draws itself.</summary>
internal sealed class TrainCommandTests
{
    private const int SigTerm = 15;
    private const int SigKill = 9;
    private string _out = "";

    [SetUp]
    public void MakeFolder() => _out = Directory.CreateTempSubdirectory("zoo-train-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_out, recursive: true);

    [Test]
    public void Train_Json_GivesStepsAndDoneAndEvalAgrees()
    {
        var trained = Train("--steps", "600", "--json");
        Assert.That(trained.ExitCode, Is.Zero, trained.Error);
        var records = trained.Records;
        var done = records[^1];
        var run = done["run"]!.ToString();
        var first = records.First(r => r["event"]!.ToString() == "step");

        Assert.That(first.Select(p => p.Key), Is.SupersetOf(new[] { "event", "step", "loss", "lr", "tokens_per_second" }));
        Assert.That(records.Where(r => r["event"]!.ToString() == "step").Select(r => r["step"]!.GetValue<int>()).ToList(),
            Has.Count.InRange(100, 250).And.Ordered.And.Member(1).And.Member(600));
        Assert.That(done["event"]!.ToString(), Is.EqualTo("done"));
        Assert.That(done["steps"]!.GetValue<int>(), Is.EqualTo(600));
        Assert.That(done["backends"], Is.InstanceOf<JsonObject>());
        Assert.That(trained.Error, Does.Contain("9,760 parameters").And.Contain(run));

        foreach (var path in new[] { run, Path.Combine(run, "checkpoints", "step-600") })
        {
            var scored = ZooProcess.Run(["eval", path, "--json"]);
            Assert.That(scored.ExitCode, Is.Zero, scored.Error);
            Assert.That(scored.Records.ToDictionary(r => r["metric"]!.ToString(), r => r["value"]!.GetValue<double>()),
                Is.EqualTo(done["metrics"]!.AsObject().ToDictionary(p => p.Key, p => p.Value!.GetValue<double>())));
            Assert.That(scored.Records.Select(r => r["n"]!.GetValue<long>()), Is.All.EqualTo(2007));
        }
    }

    [TestCase(100, true)]
    [TestCase(99, false)]
    public void Train_WarmupAsLongAsTheRun_IsSaid(int warmup, bool isSaid)
    {
        var trained = Train("--steps", "100", "--set", $"train.warmup_steps={warmup}");

        Assert.That(trained.ExitCode, Is.Zero, trained.Error);
        Assert.That(trained.Error, isSaid ? Does.Contain("Its warm-up takes 100 steps, so the rate never reaches its peak: ") : Does.Not.Contain("warm-up"));
    }

    [Test]
    public void Train_QuietWithoutJson_PrintsOnlyTheResult()
    {
        var trained = Train("--steps", "0", "--quiet");

        Assert.That((trained.ExitCode, trained.Error), Is.EqualTo((0, "")));
        Assert.That(trained.Output, Does.Contain("test_error_percent").And.Contain("Run folder:"));
    }

    [Test]
    public void Train_KilledAndTerminatedThenResumed_EndsInTheSameBits()
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("There are no signals on Windows.");
        string[] options = ["--steps", "1500", "--checkpoint-every", "40", "--kernels", "reference", "--set", "train.momentum=0.5"];
        var straight = RunOf(Train(options));
        var random = new Random(5);

        using (var begun = Start(["train", "lenet1989", .. options, "--out", _out]))
            StopAfterCheckpoint(begun, straight, SigKill);
        var run = Directory.GetDirectories(_out).Single(d => d != straight);
        foreach (var signal in new[] { SigKill, SigTerm, SigKill })
        {
            var before = Newest(run);
            using var resumed = Start(["train", "lenet1989", "--out", _out, "--resume", run]);
            WaitUntil(() => resumed.HasExited || Newest(run) > before);
            Thread.Sleep(random.Next(30));
            Signal(resumed, signal);
            resumed.WaitForExit();
            if (signal == SigTerm && Newest(run) < 1500)
                Assert.That(resumed.ExitCode, Is.EqualTo(130));
        }
        var last = ZooProcess.Run(["train", "lenet1989", "--out", _out, "--resume", run]);

        Assert.That(last.ExitCode, Is.Zero, last.Error);
        foreach (var name in new[] { Checkpoint.ModelName, Checkpoint.OptimizerName })
        {
            Assert.That(FileHash.Sha256(Path.Combine(run, "checkpoints", "step-1500", name)),
                Is.EqualTo(FileHash.Sha256(Path.Combine(straight, "checkpoints", "step-1500", name))), name);
        }
        Assert.That(Losses(run), Is.EqualTo(Losses(straight)));
        Assert.That(Directory.GetFileSystemEntries(Path.Combine(run, "checkpoints")), Has.Length.EqualTo(2), "no leftovers, two kept");
    }

    [Test]
    public void Train_ResumeAlone_GoesOnWithTheNewestRunOfTheModel()
    {
        var run = RunOf(Train("--steps", "200", "--checkpoint-every", "50", "--lr", "0.02"));
        Directory.Delete(Path.Combine(run, "checkpoints", "step-200"), recursive: true);
        var resumed = Train("--resume", "--lr", "0.02");

        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
        Assert.That(resumed.Error, Does.Contain("after step 150"));
        Assert.That(RunOf(resumed), Is.EqualTo(run));
    }

    [Test]
    public void Train_ResumeWithOtherOptions_NamesEachAndChangesNothing()
    {
        var run = RunOf(Train("--steps", "20", "--seed", "2"));
        var refused = Train("--resume", run, "--lr", "0.5", "--seed", "4", "--set", "train.momentum=0.9", "--batch-size", "1");

        Assert.That(refused.ExitCode, Is.EqualTo(2));
        Assert.That(refused.Error, Does.Contain("--lr 0.5: the run has 0.03").And.Contain("--seed 4: the run has 2")
            .And.Contain("--set train.momentum=0.9: the run has 0").And.Not.Contain("--batch-size"));
    }

    [Test]
    public void Train_NoModelButResume_TakesTheModelFromTheRun()
    {
        var run = RunOf(Train("--steps", "5"));
        var resumed = ZooProcess.Run(["train", "--resume", run]);

        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
    }

    [Test]
    public void Train_LearningRateBeyondReason_StopsAndSaysWhere()
    {
        var stopped = Train("--steps", "50", "--preset", "modern", "--lr", "1e29", "--kernels", "reference");

        Assert.That(stopped.ExitCode, Is.EqualTo(1), stopped.Error);
        Assert.That(stopped.Error, Does.Match(@"Step \d+: the loss is (not a number \(NaN\)|infinite); .*'H1w'").And.Not.Contain("   at "));
    }

    [Test]
    public void Train_FileSizeLimitReached_ScoresSaysSoAndGoesOnLater()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Ignore("Limits on the size of files are set by a shell on Linux.");
        // Without the signal's default action a write beyond the limit fails like one to a full disk.
        var limited = ZooProcess.Shell($"trap '' XFSZ; ulimit -f 20; exec dotnet '{Path.Combine(ZooProcess.Folder, "zoo.dll")}' train lenet1989 --out '{_out}' --steps 100 --checkpoint-every 40");

        Assert.That(limited.ExitCode, Is.EqualTo(3), limited.Error);
        Assert.That(limited.Error, Does.Contain("The checkpoint of step 40 could not be written").And.Contain("training goes on")
            .And.Contain("Make room and run again with --resume"));
        Assert.That(limited.Output, Does.Contain("test_error_percent"));
        var run = Directory.GetDirectories(_out).Single();
        Assert.That(Directory.GetFileSystemEntries(Path.Combine(run, "checkpoints")), Is.Empty);
        var resumed = Train("--resume");
        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
    }

    [TestCase("--steps x", "--steps x: it must be a whole number from 0 up.")]
    [TestCase("--steps -1", "--steps -1: it must be a whole number from 0 up.")]
    [TestCase("--steps 99999999999999999999", "at most 9223372036854775807.")]
    [TestCase("--batch-size 0", "--batch-size 0: it must be a whole number from 1 up.")]
    [TestCase("--threads 100000", "--threads 100000: it must be a whole number from 1 up, at most 1024.")]
    [TestCase("--lr nan", "--lr nan: it must be a number from 0 up.")]
    [TestCase("--lr 1e39", "'lr' is 1E+39; it must be at most 1E+30")]
    [TestCase("--stesp 5", "Did you mean '--steps'?")]
    [TestCase("--task dgits-1989", "Did you mean 'digits-1989'?")]
    [TestCase("--length 16", "The samples of the task digits-1989 have one size; leave out --length.")]
    [TestCase("--preset modrn", "Did you mean 'modern'?")]
    [TestCase("--set dropuot=1 --set train.lrr=1", "'dropuot' is no key of it. Did you mean 'dropout'?")]
    [TestCase("--set dropuot=1 --set train.lrr=1", "'train.lrr' is no key of it. Did you mean 'train.lr'?")]
    [TestCase("--set train.learning_rate=1", "'train.learning_rate' is no key of it. There are: optimizer, lr, schedule, ")]
    [TestCase("--set dropout", "--set dropout: it must be key=value")]
    [TestCase("--set task.=5", "--set task.=5: it must be key=value, such as --set task.KEY=1.")]
    [TestCase("--steps 5 --set train.steps=7", "'train.steps' is 7, and --steps is 5; they mean the same, so give one of them.")]
    [TestCase("--steps 5 --set train.steps=null", "'train.steps' is null, and --steps is 5; they mean the same, so give one of them.")]
    [TestCase("--lr 0.5 --batch-size 8 --set train.batch_size=4 --set train.lr=0.1", "'train.batch_size' is 4, and --batch-size is 8; they mean the same")]
    [TestCase("--lr 0.5 --batch-size 8 --set train.batch_size=4 --set train.lr=0.1", "'train.lr' is 0.1, and --lr is 0.5; they mean the same")]
    [TestCase("--data /no/such/folder", "/no/such/folder")]
    [TestCase("--dtype bf16", "--dtype bf16: lenet1989 does not compute in bfloat16; use --dtype fp32.")]
    [TestCase("--dtype fp16", "--dtype fp16: it must be fp32 or bf16.")]
    [TestCase("--device gpu", "--device gpu: it must be cpu, cuda or cuda:n.")]
    [TestCase("--kernels foo", "there is no backend 'foo'")]
    [TestCase("--kernels foo=cpu", "no installed plugin has an op named 'foo'")]
    [TestCase("--resume /no/such/run", "There is no run folder '/no/such/run'.")]
    [TestCase("--resume", "there is no run of lenet1989 (preset default)")]
    [TestCase("--out /dev/null/runs", "--out /dev/null/runs: a run folder cannot be made there")]
    public void Train_BadInput_IsASentenceAndExitCode2(string options, string expected)
    {
        var refused = Train(options.Split(' '));

        Assert.That(refused.ExitCode, Is.EqualTo(2), refused.Error);
        Assert.That(refused.Error, Does.Contain(expected).And.Not.Contain("   at "));
        Assert.That(refused.Output, Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(_out), Is.Empty, "no run folder is left");
    }

    [Test]
    public void Train_SettingSaidTwiceAlike_Trains()
    {
        var trained = Train("--steps", "5", "--set", "train.steps=5", "--lr", "3e-2", "--set", "train.lr=0.03", "--json");

        Assert.That(trained.ExitCode, Is.Zero, trained.Error);
        Assert.That(trained.Records[^1]["steps"]!.GetValue<int>(), Is.EqualTo(5));
    }

    /// <summary>A user's value goes over what the task implies, also where the model is then too small for it.</summary>
    [TestCase("batchnorm-mlp --set classes=5", "The task digits has 10 classes, and this batchnorm-mlp tells 5 apart. Leave out --set classes: the task implies it.")]
    [TestCase("batchnorm-mlp --set height=5 --set width=7",
        "The task digits has images of 1 × 28 × 28, and this batchnorm-mlp takes 1 × 5 × 7. Leave out --set height and --set width: the task implies it.")]
    [TestCase("mamba --preset tiny --set vocab_size=10", "The task char-lm has 52 ids, and this mamba knows 10. Leave out --set vocab_size: the task implies it.")]
    [TestCase("transformer --preset tiny --length 32 --set block_size=4",
        "The task char-lm has sequences of 32 tokens, and this transformer takes 4. Leave out --set block_size: the task implies it.")]
    [TestCase("lru --preset vectors --task sequential-mnist --set task.pixels_per_step=28 --set d_input=3",
        "The task sequential-mnist has vectors of 28 numbers, and this lru takes 3. Leave out --set d_input: the task implies it.")]
    [TestCase("lru --preset vectors --task sequential-mnist --set task.pixels_per_step=28 --set d_output=3",
        "The task sequential-mnist needs a lru whose 'd_output' is 10, and this one has 3. Leave out --set d_output: the task implies it.")]
    public void Train_ModelTooSmallForTheTask_IsASentenceBeforeAnyRun(string command, string expected)
    {
        var refused = ZooProcess.Run(["train", .. command.Split(' '), "--steps", "1", "--out", _out]);

        Assert.That((refused.ExitCode, refused.Error.TrimEnd()), Is.EqualTo((2, expected)));
        Assert.That(Directory.GetFileSystemEntries(_out), Is.Empty, "no run folder is left");
    }

    /// <summary>A run that cannot take its first step is none that `--resume` should find.</summary>
    [Test]
    public void Train_BackendThatCannotRunHere_LeavesNoRun()
    {
        var refused = ZooProcess.Run(["train", "mamba", "--preset", "tiny", "--kernels", "cuda", "--steps", "1", "--out", _out]);

        Assert.That(refused.ExitCode, Is.EqualTo(2));
        Assert.That(refused.Error, Does.Contain("--kernels cuda: rms_norm cannot run on 'cuda': 'x' is on cpu"));
        Assert.That(Directory.GetFileSystemEntries(_out), Is.Empty);
    }

    [Test]
    public void Train_ModelBeyondMemory_SaysSoAndBlamesNoPlugin()
    {
        // One matrix of it is larger than any process's address space.
        var refused = ZooProcess.Run(["train", "mamba", "--preset", "tiny", "--set", "d_model=3000000", "--steps", "1", "--out", _out]);

        Assert.That(refused.Error.TrimEnd(), Is.EqualTo("Memory ran out building mamba: 144,000.0 GB more could not be had. " +
            "Take a smaller --preset or smaller sizes; `zoo show` counts a config's parameters."));
        Assert.That(refused.ExitCode, Is.EqualTo(3));
    }

    /// <summary>The prefix belongs before the key and before what is suggested at the end, wherever else those words stand.</summary>
    [Test]
    public void Train_UnknownKeyWithTheWordsOfASuggestion_IsNamedAsTyped()
    {
        var refused = ZooProcess.Run(["train", "lenet1989", "--set", "train.Did you mean 'lr=1", "--out", _out]);

        Assert.That(refused.ExitCode, Is.EqualTo(2));
        Assert.That(refused.Error, Does.Contain("'train.Did you mean 'lr' is no key of it."));
    }

    [Test]
    public void Run_UnknownVerb_NamesTheNearest()
    {
        var refused = ZooProcess.Run(["tran", "lenet1989", "--steps", "5"]);

        Assert.That((refused.ExitCode, refused.Error.TrimEnd()),
            Is.EqualTo((2, $"There is no command 'tran'. Did you mean 'train'?{Environment.NewLine}`zoo --help` lists what there is.")));
    }

    [TestCase("There is no option '--step'. Did you mean '--steps'?", "train", "--step", "5", "lenet1989")]
    [TestCase("There is no option '--devcie'. Did you mean '--device'?", "verify", "lenet1989", "--devcie", "cuda")]
    [TestCase("There is no option '--jsn'. Did you mean '--json'?", "eval", "--jsn")]
    [TestCase("There is no option '-x'.", "report", "-x")]
    public void Run_UnknownOptionOfAVerbThatTakesNames_IsNotTakenForAName(string sentence, params string[] arguments)
    {
        var refused = ZooProcess.Run(arguments);

        Assert.That((refused.ExitCode, refused.Error.TrimEnd()),
            Is.EqualTo((2, $"{sentence}{Environment.NewLine}`zoo {arguments[0]} --help` lists what there is.")));
    }

    [Test]
    public void Run_NameLikeAnOptionAfterTwoDashes_IsAName()
    {
        var refused = ZooProcess.Run(["show", "--", "--step"]);

        Assert.That(refused.ExitCode, Is.EqualTo(2));
        Assert.That(refused.Error, Does.StartWith("No architecture is named '--step'."));
    }

    [TestCase("No architecture is named 'rope': that is an op, which `zoo show`, `zoo verify` and `zoo bench` take as --op rope.", "rope")]
    [TestCase("No architecture is named 'parity': that is a task; name a model, and the task as --task parity.", "parity")]
    [TestCase("No architecture is named 'lecun1989': that is a recipe, which `zoo reproduce lecun1989` runs.", "lecun1989")]
    public void Train_NameOfSomethingElse_SaysWhatItIs(string expected, string name)
    {
        var refused = ZooProcess.Run(["train", name, "--out", _out]);

        Assert.That((refused.ExitCode, refused.Error.TrimEnd()), Is.EqualTo((2, expected)));
    }

    [Test]
    public void Train_UnknownModel_NamesTheNearest()
    {
        var refused = ZooProcess.Run(["train", "lenet198", "--out", _out]);

        Assert.That(refused.ExitCode, Is.EqualTo(2));
        Assert.That(refused.Error, Does.Contain("Did you mean 'lenet1989'?"));
    }

    [Test]
    public void Train_CudaWithoutADevice_IsTheEnvironmentsFault()
    {
        if (TorchSharp.torch.cuda.is_available())
            Assert.Ignore("There is a CUDA device here.");

        Assert.That(Train("--device", "cuda").ExitCode, Is.EqualTo(3));
    }

    [Test]
    public void Eval_DamagedOrForeignRun_IsASentence()
    {
        var run = RunOf(Train("--steps", "5"));
        var checkpoint = Path.Combine(run, "checkpoints", "step-5");
        using (var file = File.OpenWrite(Path.Combine(checkpoint, Checkpoint.ModelName)))
            file.SetLength(1000);
        RequireRefused(["eval", run], "No checkpoint in");
        RequireRefused(["eval", checkpoint], "has 1,000 bytes and should have");
        RequireRefused(["eval", _out], "is no run folder");

        var config = Path.Combine(run, RunFolder.ConfigName);
        var asWritten = File.ReadAllText(config);
        File.WriteAllText(config, asWritten.Replace("\"task_version\": ", "\"task_version\": 9"));
        RequireRefused(["train", "--resume", run], "is installed, whose examples are others.");
        File.WriteAllText(config, asWritten.Replace("\"lenet1989\"", "\"lenet2089\""));
        RequireRefused(["eval", run], "No checkpoint in");
        RequireRefused(["train", "--resume", run], "No architecture is named 'lenet2089'");
        File.WriteAllText(config, "{");
        RequireRefused(["eval", run], "is not the config of a run");
    }

    [Test]
    public void Eval_RunOfAnotherVersionOfThePlugin_SaysSoWhereItDoesNotFit()
    {
        var run = RunOf(Train("--steps", "5"));
        var config = Path.Combine(run, RunFolder.ConfigName);
        var asWritten = File.ReadAllText(config);
        var version = RunRecord.Read(config).PluginVersion;
        var older = asWritten.Replace($"\"plugin_version\": \"{version}\"", "\"plugin_version\": \"0.0.1\"");
        File.WriteAllText(config, older);
        Assert.That(ZooProcess.Run(["eval", run]).ExitCode, Is.Zero, "what fits is used");
        var resumed = ZooProcess.Run(["train", "--resume", run]);
        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
        Assert.That(resumed.Error, Does.Contain($"The run was made with the plugin 'LeNet' 0.0.1, and {version} is installed. What the run does"));

        File.WriteAllText(config, older.Replace("\"dropout\":", "\"drop_out\":"));
        RequireRefused(["eval", run], $"'drop_out' is no key of it. Did you mean 'dropout'?\nThe run was made with the plugin 'LeNet' 0.0.1, and {version} is installed.");
        File.WriteAllText(config, asWritten.Replace("\"plugin\": \"LeNet\"", "\"plugin\": \"Elsewhere\"").Replace("\"lenet1989\"", "\"lenet2089\""));
        RequireRefused(["train", "--resume", run], $"The run was made with the plugin 'Elsewhere' {version}, which is not in use.");
    }

    private static void RequireRefused(string[] arguments, string expected)
    {
        var refused = ZooProcess.Run(arguments);
        Assert.That(refused.ExitCode, Is.EqualTo(2), refused.Error);
        Assert.That(refused.Error, Does.Contain(expected).And.Not.Contain("   at "));
    }

    private ZooProcess.Outcome Train(params string[] options) =>
        ZooProcess.Run(["train", "lenet1989", .. options.Contains("--out") ? options : [.. options, "--out", _out]]);

    private static string RunOf(ZooProcess.Outcome outcome)
    {
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        return outcome.Output.Split('\n').Single(l => l.StartsWith("Run folder: ", StringComparison.Ordinal))["Run folder: ".Length..];
    }

    private static IReadOnlyList<string> Losses(string run) =>
        [.. MetricsLog.Read(Path.Combine(run, "metrics.jsonl")).Select(r => $"{r["step"]} {r["loss"]} {r["metrics"]?.ToJsonString()}")];

    private static long Newest(string run)
    {
        var folder = Path.Combine(run, "checkpoints");
        return Directory.Exists(folder) ? Directory.GetDirectories(folder).Max(Checkpoint.StepOf) ?? 0 : 0;
    }

    private void StopAfterCheckpoint(Process process, string otherRun, int signal)
    {
        WaitUntil(() => process.HasExited || Directory.GetDirectories(_out).Any(d => d != otherRun && Newest(d) > 0));
        Signal(process, signal);
        process.WaitForExit();
    }

    private static void WaitUntil(Func<bool> condition)
    {
        var watch = Stopwatch.StartNew();
        while (!condition())
        {
            if (watch.Elapsed > TimeSpan.FromMinutes(3))
                Assert.Fail("nothing happened in three minutes");
            Thread.Sleep(5);
        }
    }

    private static Process Start(string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Path.Combine(ZooProcess.Folder, "zoo.dll"));
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        start.Environment.Remove("ZOO_PLUGINS");
        var process = Process.Start(start)!;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static void Signal(Process process, int signal)
    {
        if (!process.HasExited)
            _ = Kill(process.Id, signal);
    }

    [DllImport("libc", EntryPoint = "kill")]
    private static extern int Kill(int process, int signal);
}
