using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Files;
using Zoo.Host.Cli;
using Zoo.Host.Configuration;
using Zoo.Kernels;
using Zoo.Tasks;
using Zoo.Training;

namespace Zoo.Host.Runs;

/// <summary>Everything needed to run a training again: the run folder's config.json.</summary>
internal sealed record RunRecord
{
    /// <summary>The layout of this file.</summary>
    public const int CurrentFormat = 1;

    /// <summary>The layout of this file.</summary>
    public int Format { get; init; } = CurrentFormat;

    /// <summary>The architecture's name.</summary>
    public required string Model { get; init; }

    /// <summary>The preset that the config started from.</summary>
    public required string Preset { get; init; }

    /// <summary>The plugin that brought the architecture.</summary>
    public required string Plugin { get; init; }

    /// <summary>Its version.</summary>
    public required string PluginVersion { get; init; }

    /// <summary>The model's config, complete.</summary>
    public required JsonObject Config { get; init; }

    /// <summary>The task's name.</summary>
    public required string Task { get; init; }

    /// <summary>Version of the task's generator.</summary>
    public required int TaskVersion { get; init; }

    /// <summary>The task's options that were set.</summary>
    public required JsonObject TaskOptions { get; init; }

    /// <summary>The data's full path; null for what the task generates or carries.</summary>
    public required string? DataPath { get; init; }

    /// <summary>What the data are, in words.</summary>
    public required string Data { get; init; }

    /// <summary>What tells the data from others; null where nothing but the options does.</summary>
    public string? DataFingerprint { get; init; }

    /// <summary>How many training examples there are; null where they never end.</summary>
    public required long? TrainingExamples { get; init; }

    /// <summary>The sequence length that was asked for; null for the task's own.</summary>
    public required int? Length { get; init; }

    /// <summary>Training settings, complete.</summary>
    public required JsonObject Training { get; init; }

    /// <summary>Steps of the whole run.</summary>
    public required long Steps { get; init; }

    /// <summary>The seed.</summary>
    public required int Seed { get; init; }

    /// <summary>The device: "cpu", "cuda:0".</summary>
    public required string Device { get; init; }

    /// <summary>The arithmetic: "fp32" or "bf16".</summary>
    public required string Dtype { get; init; }

    /// <summary>The backends asked for, as typed.</summary>
    public required string Kernels { get; init; }

    /// <summary>Threads of the tensor operations; the numbers are bit-equal only with as many.</summary>
    public required int Threads { get; init; }

    /// <summary>Steps between evaluations; 0 for one at the end.</summary>
    public required long EvalEvery { get; init; }

    /// <summary>Steps between checkpoints; null for the time-based default.</summary>
    public required long? CheckpointEvery { get; init; }

    /// <summary>How many checkpoints are kept.</summary>
    public required int Keep { get; init; }

    /// <summary>When it began.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>Whether the weights come from elsewhere: there is no task and no training.</summary>
    public bool Imported { get; init; }

    /// <summary>Name of the packed form that the weights are in; null where they are not packed.</summary>
    public string? Packed { get; init; }

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="BadFileException">It is missing, foreign, or of a newer layout.</exception>
    public static RunRecord Read(string path)
    {
        var record = RunJson.Read<RunRecord>(path, "the config of a run");
        if (record.Format != CurrentFormat)
        {
            throw new BadFileException(
                $"'{path}' has format {record.Format}, and this version of Zoo reads {CurrentFormat}. Use the version that wrote it.");
        }
        if (record.Steps < 0 || record.Threads is < 1 or > NumberOption.MostThreads || record.Keep < 1 || record.EvalEvery < 0 || record.CheckpointEvery < 1)
            throw new BadFileException($"'{path}' is not the config of a run: steps, threads, keep or an interval is out of range.");
        // What `zoo train` was told; a wrong one would be blamed on an option that nobody typed.
        foreach (var (key, value, isName) in new[]
        {
            ("device", record.Device, DeviceName.IsName(record.Device)), ("dtype", record.Dtype, DtypeName.IsName(record.Dtype)),
            ("kernels", record.Kernels, IsChoice(record.Kernels)),
        })
        {
            if (!isName)
                throw new BadFileException($"'{path}' is not the config of a run: its {key} is '{value}'.");
        }
        return record;
    }

    /// <summary>The architecture and its config.</summary>
    /// <exception cref="UserException">The architecture is not installed, or knows this config no more.</exception>
    public (InstalledArchitecture Installed, ModelConfig Config) ReadConfig(Catalog catalog)
    {
        try
        {
            var (installed, _) = catalog.Architecture(Model);
            return (installed, installed.Architecture.ReadConfig(RunPlanner.CheckPreset(installed, Preset), Config));
        }
        catch (UserException e) when (OtherPlugin(catalog) is { } other)
        {
            throw new UserException($"{e.Message}\n{other}", e);
        }
    }

    /// <summary>In a sentence, that the run was made with a plugin that is not here in that version; null where it is.</summary>
    public string? OtherPlugin(Catalog catalog) => catalog.Architectures.FirstOrDefault(a => a.Plugin == Plugin) switch
    {
        null => $"The run was made with the plugin '{Plugin}' {PluginVersion}, which is not in use. --plugins DIR names its folder; `zoo plugins` says what was found.",
        { PluginVersion: var version } when version != PluginVersion =>
            $"The run was made with the plugin '{Plugin}' {PluginVersion}, and {version} is installed.",
        _ => null,
    };

    /// <summary>Looks everything up again and opens the data.</summary>
    /// <param name="catalog">What is installed.</param>
    /// <param name="dataPath">Where the data lie now; null for where they lay then.</param>
    /// <exception cref="UserException">The architecture or task is not installed, the data are gone, or they are others.</exception>
    public RunPlan Plan(Catalog catalog, string? dataPath)
    {
        if (Imported)
            throw new UserException($"This run was imported ({Data}): it has no task to go on with. `zoo eval --task`, `zoo generate` and `zoo export` take it.");
        var (installed, config) = ReadConfig(catalog);
        var task = catalog.Task(Task);
        if (task.Info.Version != TaskVersion)
        {
            throw new UserException($"The run has version {TaskVersion} of the task {Task}, and version {task.Info.Version} is installed, whose " +
                "examples are others. Use the version of Zoo or of the plugin that the run was made with (environment.json, config.json).");
        }
        var training = ConfigJson.Bind(new TrainingSettings(), Training, "training");
        var unsaid = ConfigJson.Flatten(training)
            .Where(p => p.Value is null && p.Key is not ("steps" or "passes")).Select(p => p.Key).ToList();
        if (unsaid.Count > 0 || (training.Steps is null && training.Passes is null))
            throw new UserException($"The run's config leaves training settings unsaid: {string.Join(", ", unsaid.DefaultIfEmpty("steps"))}.");

        var request = new RunRequest(Model)
        {
            Preset = Preset,
            Task = Task,
            DataPath = dataPath ?? DataPath,
            Length = Length,
            Seed = Seed,
        };
        var data = task.Open(new TaskRequest
        {
            Options = TaskOptions.DeepClone().AsObject(),
            DataPath = request.DataPath,
            Length = Length,
            Seed = Seed,
        });
        if (data.TrainingCount != TrainingExamples || data.Fingerprint != DataFingerprint)
        {
            var message = data.TrainingCount != TrainingExamples
                ? $"The data are not the run's: {data.Description} has {Count(data.TrainingCount)}, " +
                    $"the run began with {Count(TrainingExamples)} ({Data})."
                : $"The data are not the run's: there is {data.Description}; the run began with {Data}. Name the run's own with --data.";
            data.Dispose();
            throw new UserException(message);
        }
        return new RunPlan(installed, Preset, config, task, TaskOptions, data, training, request);
    }

    /// <summary>A task to score imported weights on.</summary>
    /// <param name="catalog">What is installed.</param>
    /// <param name="request">The task and what was said of it.</param>
    /// <exception cref="UserException">No task is named, the architecture is not installed, or what was said is wrong.</exception>
    public RunPlan PlanImported(Catalog catalog, RunRequest request)
    {
        var (installed, config) = ReadConfig(catalog);
        if (request.Task is null)
        {
            throw new UserException($"This run was imported ({Data}), so its task is not known. Name one with --task, and with --data what it reads: " +
                $"{string.Join(", ", catalog.TasksFor(installed.Info).Select(t => t.Info.Name))}.");
        }
        return RunPlanner.PlanScoring(catalog, installed, Preset, config, request);
    }

    private static bool IsChoice(string kernels)
    {
        try
        {
            _ = KernelChoice.Parse(kernels);
            return true;
        }
        catch (UserException)
        {
            return false;
        }
    }

    private static string Count(long? examples) => examples is { } count ? $"{count:N0} training examples" : "endless training examples";
}
