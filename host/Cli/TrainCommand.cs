using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using TorchSharp;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Host.Configuration;
using Zoo.Host.Runs;
using Zoo.Host.Training;
using Zoo.Kernels;
using Zoo.Native;
using Zoo.Tasks;

namespace Zoo.Host.Cli;

/// <summary>`zoo train`: trains a model on a task, from the start or from a checkpoint.</summary>
internal sealed class TrainCommand : ZooCommand
{
    private const int DefaultKeep = 2;

    private readonly Argument<string?> _model = new("model")
    {
        Description = "The architecture, by name or alias. `zoo list` shows what is installed.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string?> _task = OptionOf.Text("--task", "TASK", "What to learn; the architecture's own task unless given. `zoo list` names them, `zoo show TASK` says more.");
    private readonly Option<string?> _preset = OptionOf.Text("--preset", "PRESET", "The config to start from. `zoo show` lists a model's presets.");

    private readonly Option<string[]> _set = OptionOf.Sets("A config key: the model's as it is, the task's as task.KEY, training settings as train.KEY (repeatable).");

    private readonly Option<long?> _steps = NumberOption.Int64("--steps", "Steps of the whole run; 0 evaluates the initial model.", 0);
    private readonly Option<int?> _batchSize = NumberOption.Int32("--batch-size", "Examples a batch.", least: 1, most: NumberOption.MostExamples);
    private readonly Option<int?> _length = NumberOption.Int32("--length", "Sequence length to train at.", least: 1);
    private readonly Option<double?> _learningRate = NumberOption.FromZero("--lr", "Peak learning rate.");
    private readonly Option<int?> _seed = NumberOption.Int32("--seed", "Seed of initialisation, order and noise (default 1).");
    private readonly Option<string?> _device = DeviceName.Option();
    private readonly Option<string?> _dtype = DtypeName.Option("Arithmetic of products with weights: fp32 (default), or bf16, with master weights and all else in fp32.");

    private readonly Option<string?> _kernels = OptionOf.Kernels();

    private readonly Option<int?> _threads = NumberOption.Threads("Threads of the arithmetic; unless given, one where the net is tiny and all cores otherwise.");

    private readonly Option<string?> _data = OptionOf.Path(
        "--data", "PATH", "A file or folder with real data; the task says which. Nothing is ever downloaded.");

    private readonly Option<string?> _out = OptionOf.Path("--out", "DIR", $"Where run folders go (default '{RunFolder.DefaultParent}').");

    private readonly Option<string?> _resume = new("--resume")
    {
        Description = "Goes on from the newest whole checkpoint of a run folder, or of the newest run of this model and task below --out.",
        HelpName = "DIR",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<long?> _evalEvery = NumberOption.Int64(
        "--eval-every", "Steps between evaluations; 0 evaluates at the end only.", 0);

    private readonly Option<long?> _checkpointEvery = NumberOption.Int64(
        "--checkpoint-every", "Steps between checkpoints; every five minutes unless given. One is always written at the end.", 1);

    private readonly Option<int?> _keep = NumberOption.Int32("--keep", $"How many checkpoints to keep (default {DefaultKeep}).", least: 1);

    public TrainCommand() : base("train", "Trains a model and scores it on held-out data. `zoo train MODEL` alone does something useful.")
    {
        Add(_model);
        _resume.Validators.Add(OptionOf.RequireName);
        foreach (var option in (Option[])[_task, _preset, _set, _steps, _batchSize, _length, _learningRate, _seed, _device, _dtype,
            _kernels, _threads, _data, _out, _resume, _evalEvery, _checkpointEvery, _keep])
        {
            Add(option);
        }
    }

    public override int Run(ParseResult arguments, Session session)
    {
        var (catalog, interrupted) = (session.Catalog, session.Interrupted);
        var resumed = arguments.GetResult(_resume) is null ? ((string Path, RunRecord Record)?)null : FindRun(arguments, catalog);
        LibTorch.Load();
        using var plan = resumed is { } found
            ? found.Record.Plan(catalog, FullPath(arguments.GetValue(_data)))
            : RunPlanner.Plan(catalog, Request(arguments));
        if (resumed?.Record.OtherPlugin(catalog) is { } other)
            session.Output.Note($"{other} What the run does from here on may not be what it would have done.");
        if (resumed is { } run)
            RequireSameRun(arguments, run.Record, plan);

        var kernels = KernelChoice.Parse(arguments.GetValue(_kernels) ?? resumed?.Record.Kernels ?? "auto");
        var device = DeviceName.Parse(arguments.GetValue(_device) ?? resumed?.Record.Device);
        var dtype = DtypeName.Parse(arguments.GetValue(_dtype) ?? resumed?.Record.Dtype ?? DtypeName.Float32);
        using var model = ModelFactory.Build(catalog, plan, plan.Request.Seed, device, kernels, dtype);
        plan.RequireFit(model);
        var threads = Threads(arguments.GetValue(_threads) ?? resumed?.Record.Threads, plan, model);
        using var trainer = new Trainer(model, plan.Data, plan.Training, new TrainerOptions
        {
            Seed = plan.Request.Seed,
            Device = device,
            Dtype = dtype,
            Kernels = kernels,
            Threads = threads,
        });
        interrupted.ThrowIfCancellationRequested();   // nothing is saved of a run that has no folder yet
        var record = resumed is { } old
            ? Continue(arguments, old.Record, trainer, device, kernels, threads)
            : Begin(arguments, plan, trainer, device, dtype, kernels, threads);

        var environment = RunEnvironment.Capture(record.Device, threads, record.Kernels);
        using var folder = resumed is { } existing
            ? RunFolder.Open(existing.Path)
            : RunFolder.Create(arguments.GetValue(_out) ?? RunFolder.DefaultParent, record, environment, path => WriteText(plan.Data, path));
        Introduce(session.Output, plan, record, model, trainer, folder);
        var start = resumed is null ? null : Resume(session.Output, folder, record, trainer, interrupted);
        var training = new TrainingRun(
            record, folder, plan.Data, model, trainer, new Evaluator(model, plan.Data, device), session.Output, interrupted);
        try
        {
            var outcome = training.Run(start);
            Report(session.Output, plan, folder, outcome, GlobalOptions.PluginArguments(arguments));
            if (outcome.Unsaved is { } unsaved)
                throw unsaved;
            folder.Write(environment with { Backends = OpUsage.Backends });
            return outcome.Interrupted ? ExitCode.Interrupted : ExitCode.Done;
        }
        catch (UserException) when (resumed is null && trainer.StepsDone == 0 && !HasCheckpoint(folder))
        {
            folder.Dispose();
            Directory.Delete(folder.Path, recursive: true);   // such as a backend that cannot run here: a run that cannot begin is none to go on with
            throw;
        }
        catch (EnvironmentException e) when (e.InnerException is { } cause && MemoryShortage.Caused(cause))
        {
            throw new EnvironmentException($"{e.Message}\n" + (HasCheckpoint(folder)
                ? $"The checkpoints in {folder.CheckpointsPath} are whole and stay." : "There was no checkpoint yet."), cause);
        }
        catch (NonFiniteException e)
        {
            var before = HasCheckpoint(folder) ? $"; the checkpoints in {folder.CheckpointsPath} are from before" : "";
            session.Output.Error($"{e.Message}\nTraining stopped{before}. A lower --lr or --set train.clip=1 often helps.");
            return ExitCode.CheckFailed;
        }
    }

    /// <summary>Keeps what the ids mean, so that generating needs no data.</summary>
    private static void WriteText(TaskData data, string path)
    {
        if (data.Text is { } text)
            RunJson.Write(Path.Combine(path, RunFolder.TextName), text.ToJson());
    }

    private static bool HasCheckpoint(RunFolder folder) => Directory.EnumerateDirectories(folder.CheckpointsPath, "step-*").Any();

    private RunRequest Request(ParseResult arguments) => new(RequireModel(arguments))
    {
        Preset = arguments.GetValue(_preset),
        Task = arguments.GetValue(_task),
        Sets = arguments.GetValue(_set)!,
        DataPath = FullPath(arguments.GetValue(_data)),
        Length = arguments.GetValue(_length),
        Steps = arguments.GetValue(_steps),
        BatchSize = arguments.GetValue(_batchSize),
        LearningRate = arguments.GetValue(_learningRate),
        Seed = arguments.GetValue(_seed) ?? 1,
    };

    private string RequireModel(ParseResult arguments) => arguments.GetValue(_model)
        ?? throw new UserException("Say which model to train: `zoo train MODEL`. `zoo list` shows what is installed.");

    private (string Path, RunRecord Record) FindRun(ParseResult arguments, Catalog catalog)
    {
        if (arguments.GetValue(_resume) is { } path)
        {
            RunFolder.RequireRun(path);
            return (path, RunRecord.Read(Path.Combine(path, RunFolder.ConfigName)));
        }
        var (installed, namedPreset) = catalog.Architecture(RequireModel(arguments));
        var preset = RunPlanner.CheckPreset(installed, arguments.GetValue(_preset) ?? namedPreset);
        var task = arguments.GetValue(_task) is { } typed ? catalog.Task(typed).Info.Name : null;
        var parent = arguments.GetValue(_out) ?? RunFolder.DefaultParent;
        var onTask = task is null ? "" : $" on {task}";
        return RunFolder.Newest(parent, r => r.Model == installed.Info.Name && r.Preset == preset && (task is null || r.Task == task))
            ?? throw new UserException($"--resume: there is no run of {installed.Info.Name} (preset {preset}){onTask} in '{parent}'. Name a run folder, or leave --resume out to begin one.");
    }

    /// <summary>A resumed run goes on as it began: an option that says otherwise is an error, one that repeats it is not.</summary>
    private void RequireSameRun(ParseResult arguments, RunRecord record, RunPlan plan)
    {
        var problems = new List<string>();
        void Compare(string option, object? typed, object? recorded)
        {
            if (typed is not null && !typed.Equals(recorded))
                problems.Add($"{option} {Words(typed)}: the run has {Words(recorded)}");
        }

        if (arguments.GetValue(_model) is { } name)
        {
            var info = plan.Installed.Info;
            Compare("model", info.Aliases.Any(a => a.Name == name) ? info.Name : name, record.Model);
        }
        Compare("--task", arguments.GetValue(_task), record.Task);
        Compare("--preset", arguments.GetValue(_preset), record.Preset);
        Compare("--batch-size", arguments.GetValue(_batchSize), plan.Training.BatchSize);
        Compare("--length", arguments.GetValue(_length), record.Length);
        Compare("--lr", arguments.GetValue(_learningRate), plan.Training.LearningRate);
        Compare("--seed", arguments.GetValue(_seed), record.Seed);
        Compare("--dtype", arguments.GetValue(_dtype), record.Dtype);
        Compare("--steps", arguments.GetValue(_steps), record.Steps);
        var recordedSets = record.Config.DeepClone().AsObject();
        recordedSets["task"] = record.TaskOptions.DeepClone();
        recordedSets["train"] = record.Training.DeepClone();
        foreach (var (key, value) in ConfigJson.Flatten(RunPlanner.ParseSets(arguments.GetValue(_set)!)))
        {
            if (!JsonNode.DeepEquals(value, Find(recordedSets, key)))
                problems.Add($"--set {key}={Words(value)}: the run has {Words(Find(recordedSets, key))}");
        }
        if (problems.Count > 0)
        {
            throw new UserException("--resume goes on with a run as it began, and these options say otherwise. " +
                "Leave them out, or begin a new run without --resume.\n" + string.Join('\n', problems.Select(p => "  " + p)));
        }
    }

    private RunRecord Begin(
        ParseResult arguments, RunPlan plan, Trainer trainer, torch.Device device, torch.ScalarType dtype, KernelChoice kernels, int threads) =>
        new()
        {
            Model = plan.Installed.Info.Name,
            Preset = plan.Preset,
            Plugin = plan.Installed.Plugin,
            PluginVersion = plan.Installed.PluginVersion,
            Config = ConfigJson.Write(plan.Config),
            Task = plan.Task.Info.Name,
            TaskVersion = plan.Task.Info.Version,
            TaskOptions = plan.TaskOptions,
            DataPath = plan.Request.DataPath,
            Data = plan.Data.Description,
            DataFingerprint = plan.Data.Fingerprint,
            TrainingExamples = plan.Data.TrainingCount,
            Length = plan.Request.Length,
            Training = ConfigJson.Write(plan.Training),
            Steps = trainer.StepCount,
            Seed = plan.Request.Seed,
            Device = device.ToString(),
            Dtype = DtypeName.Of(dtype),
            Kernels = kernels.ToString(),
            Threads = threads,
            EvalEvery = arguments.GetValue(_evalEvery) ?? TrainingIntervals.Evaluation(
            trainer.StepCount, plan.Data.TrainingCount, (long)plan.Training.BatchSize!.Value * plan.Training.Accumulate!.Value),
            CheckpointEvery = arguments.GetValue(_checkpointEvery),
            Keep = arguments.GetValue(_keep) ?? DefaultKeep,
            Started = DateTimeOffset.Now,
        };

    private RunRecord Continue(
        ParseResult arguments, RunRecord record, Trainer trainer, torch.Device device, KernelChoice kernels, int threads) => record with
        {
            Device = device.ToString(),
            Kernels = kernels.ToString(),
            Threads = threads,
            EvalEvery = arguments.GetValue(_evalEvery) ?? record.EvalEvery,
            CheckpointEvery = arguments.GetValue(_checkpointEvery) ?? record.CheckpointEvery,
            Keep = arguments.GetValue(_keep) ?? record.Keep,
            Steps = trainer.StepCount,
        };

    private static Checkpoint? Resume(Output output, RunFolder folder, RunRecord record, Trainer trainer, CancellationToken interrupted)
    {
        var start = new CheckpointStore(folder.CheckpointsPath, record.Keep).NewestWhole(output.Note, interrupted);
        if (start is not null && start.State.Step > trainer.StepCount)
            throw new UserException($"'{start.Path}' is of step {start.State.Step:N0}, and the run has {Counted.Of(trainer.StepCount, "step")}.");
        if (start is not null && start.State.Random.Seed != record.Seed)
            throw new UserException($"'{start.Path}' is of a run with seed {start.State.Random.Seed}, and this one has {record.Seed}.");
        output.Note(start is null ? "It had no checkpoint yet; it begins again."
            : start.State.Step < trainer.StepCount ? $"It goes on after step {start.State.Step:N0}."
            : $"All of its {Counted.Of(trainer.StepCount, "step")} are done; it is scored again.");
        return start;
    }

    private static void Introduce(Output output, RunPlan plan, RunRecord record, Model model, Trainer trainer, RunFolder folder)
    {
        var training = plan.Training;
        output.Note($"Model      {record.Model}, preset {record.Preset}, {ModelFactory.ParameterCount(model):N0} parameters");
        output.Note($"Task       {record.Task}: {plan.Data.Description}");
        output.Note($"Training   {Counted.Of(trainer.StepCount, "step")} of {training.BatchSize:N0}" +
            $"{(training.Accumulate > 1 ? $" × {training.Accumulate}" : "")}, {AsTyped("optimizer")} at lr {training.LearningRate:G4}, " +
            $"schedule {AsTyped("schedule")}, seed {record.Seed}");
        if (trainer.StepCount > 0 && training.WarmupSteps >= trainer.StepCount)
        {
            output.Note($"           Its warm-up takes {Counted.Of(training.WarmupSteps!.Value, "step")}, so the rate never reaches its peak: " +
                "take more --steps, or --set train.warmup_steps=N.");
        }
        var backends = trainer.FusedStepName is { } fused ? $"{fused} on cpu" : $"kernels {record.Kernels}";
        output.Note($"Device     {record.Device}, {Counted.Of(record.Threads, "thread")}, {record.Dtype}, {backends}");
        output.Note($"Run        {folder.Path}");

        string AsTyped(string key) => record.Training[key]!.GetValue<string>();
    }

    private static void Report(Output output, RunPlan plan, RunFolder folder, RunOutcome outcome, IEnumerable<string> pluginArguments)
    {
        if (outcome.Interrupted)
        {
            output.Record(new JsonObject { ["event"] = "interrupted", ["run"] = folder.Path, ["steps"] = outcome.Steps });
            string[] again = [plan.Installed.Info.Name, "--resume", folder.Path, .. pluginArguments];
            output.Error($"Interrupted after step {outcome.Steps:N0}{(outcome.Unsaved is null ? "; saved" : "")}. " +
                $"Go on with: zoo train {string.Join(' ', again.Select(ShellWord.Of))}");
            return;
        }
        output.Record(new JsonObject
        {
            ["event"] = "done",
            ["run"] = folder.Path,
            ["steps"] = outcome.Steps,
            ["metrics"] = TrainingRun.ToJson(outcome.Metrics),
            ["backends"] = RecordValues.Map(OpUsage.Backends),
            ["seconds"] = Math.Round(outcome.TrainSeconds, 3),
            ["cpu_seconds"] = Math.Round(outcome.CpuSeconds, 1),
            ["tokens_per_second"] = outcome.TokensPerSecond is { } rate ? Math.Round(rate, 1) : null,
            ["peak_memory_bytes"] = outcome.PeakMemoryBytes,
        });
        var duration = TrainingProgress.Duration(outcome.TrainSeconds);
        output.Say($"Trained {plan.Installed.Info.Name} on {plan.Task.Info.Name} for {Counted.Of(outcome.Steps, "step")} in {duration}, {outcome.PeakMemoryBytes / 1e6:N0} MB at most.");
        EvalCommand.Say(output, outcome.Metrics);
        output.Say($"Run folder: {folder.Path}");
    }

    private static int Threads(int? wanted, RunPlan plan, Model model)
    {
        var shape = plan.Data.Shape;
        var tokens = plan.Training.BatchSize!.Value * (long)(model.Kind == ModelKind.ImageClassifier ? 1 : shape.Length ?? 1);
        var threads = wanted ?? ModelFactory.DefaultThreads(ModelFactory.ParameterCount(model), tokens, torch.get_num_threads());
        Training.Threads.Use(threads);
        return threads;
    }

    private static string? FullPath(string? path) => path is null ? null : Path.GetFullPath(path);

    private static string Words(object? value) => value switch
    {
        null => "none",
        JsonNode node => node.ToJsonString(),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };

    private static JsonNode? Find(JsonObject values, string path)
    {
        JsonNode? node = values;
        foreach (var key in path.Split('.'))
            node = (node as JsonObject)?[key];
        return node;
    }
}
