using System.Globalization;
using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Host.Tasks;
using Zoo.Tasks;
using Zoo.Training;

namespace Zoo.Host.Configuration;

/// <summary>Turns what the user typed into a plan: preset, then what the task implies, then `--set`; all problems in one answer.</summary>
internal static class RunPlanner
{
    private const string TaskPrefix = "task.";
    private const string TrainPrefix = "train.";
    private const string UnknownKey = " is no key of it.";
    private const string Suggestion = "Did you mean '";   // as a config's problems have it, before a key

    /// <summary>What training does where neither the user nor the model nor the task says otherwise.</summary>
    private static readonly TrainingSettings Defaults = new()
    {
        Optimizer = OptimizerKind.AdamW,
        LearningRate = 1e-3,
        Schedule = ScheduleKind.Constant,
        FinalLearningRateFactor = 0.1,
        WarmupSteps = 0,
        WarmupStartFactor = 0,
        StepFactor = 0.5,
        StepAt = [0.5],
        WeightDecay = 0.01,
        Momentum = 0,
        Beta1 = 0.9,
        Beta2 = 0.999,
        Epsilon = 1e-8,
        GradientClip = 0,
        BatchSize = 32,
        Accumulate = 1,
        Steps = 1000,
        Shuffle = true,
    };

    /// <summary>Looks everything up and opens the data.</summary>
    /// <exception cref="UserException">A name does not exist, or values are wrong; every wrong value is named.</exception>
    public static RunPlan Plan(Catalog catalog, RunRequest request)
    {
        var (installed, namedPreset) = catalog.Architecture(request.Model);
        var preset = CheckPreset(installed, request.Preset ?? namedPreset);
        var task = ChooseTask(catalog, installed, request.Task);
        var (modelValues, taskValues, trainValues) = Split(request);

        List<string> problems = [.. SaidTwice(request, trainValues)];
        var data = Collect(problems, TaskPrefix, () => Open(task, taskValues, request));
        try
        {
            var training = Collect(problems, TrainPrefix, () => ConfigJson.Bind(FromOptions(request), trainValues, "training"), TrainingKeys);
            var config = Collect(problems, "", () => BindModel(installed.Architecture, preset, data?.Shape, modelValues));
            if (problems.Count > 0)
                throw new ConfigException($"{request.Model} on {task.Info.Name}", problems);
            var complete = training!.Over(config!.Training).Over(data!.Training).Over(Defaults);
            if (complete.Steps is null && data.TrainingCount is null)
                throw new UserException($"The task {task.Info.Name} never ends, so a number of passes means nothing; say --steps.");
            return new RunPlan(installed, preset, config, task, taskValues, data, complete, request);
        }
        catch
        {
            data?.Dispose();
            throw;
        }
    }

    /// <summary>A model as it is, with a task to score it on; <see cref="RunPlan.RequireFit"/> tells, once it is built, whether it fits.</summary>
    /// <param name="catalog">What is installed.</param>
    /// <param name="installed">The architecture.</param>
    /// <param name="preset">The preset that the config started from.</param>
    /// <param name="config">The model's config.</param>
    /// <param name="request">The task and what was said of it.</param>
    /// <exception cref="UserException">The task does not exist or suits another kind of model, or its options are wrong.</exception>
    public static RunPlan PlanScoring(Catalog catalog, InstalledArchitecture installed, string preset, ModelConfig config, RunRequest request)
    {
        var task = ChooseTask(catalog, installed, request.Task);
        var (_, taskValues, _) = Split(request);
        var problems = new List<string>();
        var data = Collect(problems, TaskPrefix, () => Open(task, taskValues, request))
            ?? throw new ConfigException($"the task {task.Info.Name}", problems);
        return new RunPlan(installed, preset, config, task, taskValues, data, Defaults, request);
    }

    /// <summary>Whether a `--set` is an option of the task.</summary>
    public static bool IsForTask(string set) => set.StartsWith(TaskPrefix, StringComparison.Ordinal);

    /// <summary>Settings with nothing left unsaid.</summary>
    public static TrainingSettings Complete(TrainingSettings settings) => settings.Over(Defaults);

    /// <summary>A preset with what the task or benchmark implies and then the user's values over it.</summary>
    /// <exception cref="ConfigException">Keys are unknown or values wrong.</exception>
    public static ModelConfig BindModel(IModelArchitecture architecture, string preset, TaskShape? shape, JsonObject userValues)
    {
        var implied = shape is null ? [] : architecture.ImpliedBy(shape, preset, userValues);
        return architecture.ReadConfig(preset, Over(implied, userValues));
    }

    /// <summary>A config with the user's values over it: a key of an inner object replaces that key alone.</summary>
    public static JsonObject Over(JsonObject config, JsonObject userValues)
    {
        var values = new JsonObject();
        foreach (var (key, value) in ConfigJson.Flatten(config).Concat(ConfigJson.Flatten(userValues)))
            ConfigJson.Set(values, key, value?.DeepClone());
        return values;
    }

    /// <summary>`--set` values for the model alone, of a command that neither trains nor asks for other data.</summary>
    /// <exception cref="UserException">One has no '=', or is for the task or for training.</exception>
    public static JsonObject ParseModelSets(IReadOnlyList<string> sets) =>
        sets.FirstOrDefault(s => IsForTask(s) || IsForTraining(s)) is { } foreign
            ? throw new UserException($"--set {foreign}: here it takes keys of the model's config; task and training are those of the run.")
            : ParseSets(sets);

    /// <summary>The `--set` values of a request that are the model's.</summary>
    public static JsonObject ModelSets(RunRequest request) => Split(request).Model;

    /// <summary>`--set` values as nested objects.</summary>
    /// <exception cref="UserException">One has no '='.</exception>
    public static JsonObject ParseSets(IEnumerable<string> sets) => ParseSets(sets, "");

    /// <summary>The preset of that name.</summary>
    /// <exception cref="UserException">The architecture has none.</exception>
    public static string CheckPreset(InstalledArchitecture installed, string preset)
    {
        var presets = installed.Architecture.Presets;
        return presets.ContainsKey(preset)
            ? preset
            : throw new UserException($"{installed.Info.Name} has no preset '{preset}'.{Names.DidYouMean(preset, presets.Keys)}  " +
                $"It has: {string.Join(", ", presets.Keys)}.");
    }

    private static ITask ChooseTask(Catalog catalog, InstalledArchitecture installed, string? name)
    {
        var info = installed.Info;
        name ??= info.DefaultTask ?? HostTasks.DefaultFor(info.Kind) ?? catalog.TasksFor(info).FirstOrDefault()?.Info.Name
            ?? throw new UserException($"No installed task suits {info.Name}: it is a {Words(info.Kind)}.");
        var task = catalog.Task(name);
        if (task.Info.Kind != info.Kind && !info.OtherKinds.Contains(task.Info.Kind))
        {
            var fitting = string.Join(", ", catalog.TasksFor(info).Select(t => t.Info.Name));
            throw new UserException($"The task '{name}' is for a {Words(task.Info.Kind)}, and {info.Name} is a {Words(info.Kind)}." +
                (fitting.Length > 0 ? $"  It can learn: {fitting}." : ""));
        }
        return task;
    }

    /// <summary>As <see cref="ParseSets(IEnumerable{string})"/>, of values that begin with a prefix, which goes.</summary>
    private static JsonObject ParseSets(IEnumerable<string> sets, string prefix)
    {
        var values = new JsonObject();
        foreach (var set in sets)
        {
            var equals = set.IndexOf('=');
            if (equals < 1 || set[..equals].Split('.').Any(string.IsNullOrWhiteSpace))
                throw new UserException($"--set {set}: it must be key=value, such as --set {(prefix.Length > 0 ? prefix + "KEY=1" : "d_model=128")}.");
            ConfigJson.Set(values, set[prefix.Length..equals], ConfigJson.ParseValue(set[(equals + 1)..]));
        }
        return values;
    }

    private static (JsonObject Model, JsonObject Task, JsonObject Train) Split(RunRequest request) =>
    (
        ParseSets(request.Sets.Where(s => !IsForTask(s) && !IsForTraining(s))),
        ParseSets(request.Sets.Where(IsForTask), TaskPrefix),
        ParseSets(request.Sets.Where(IsForTraining), TrainPrefix)
    );

    private static bool IsForTraining(string set) => set.StartsWith(TrainPrefix, StringComparison.Ordinal);

    private static TaskData Open(ITask task, JsonObject options, RunRequest request)
    {
        var data = task.Open(new TaskRequest
        {
            Options = options,
            DataPath = request.DataPath,
            Length = request.Length,
            Seed = request.Seed,
        });
        if (request.Length is null || data.Shape.Length is not null)
            return data;
        data.Dispose();
        throw new UserException($"The samples of the task {task.Info.Name} have one size; leave out --length.");
    }

    private static TrainingSettings FromOptions(RunRequest request) => new()
    {
        Steps = request.Steps,
        BatchSize = request.BatchSize,
        LearningRate = request.LearningRate,
    };

    /// <summary>Settings that have an option of their own and were also given, with another value, by `--set`.</summary>
    private static IEnumerable<string> SaidTwice(RunRequest request, JsonObject trainValues)
    {
        foreach (var (option, key, typed) in new (string, string, double?)[]
            { ("--steps", "steps", request.Steps), ("--batch-size", "batch_size", request.BatchSize), ("--lr", "lr", request.LearningRate) })
        {
            if (typed is not { } value || !trainValues.TryGetPropertyValue(key, out var set) || (set is JsonValue number && number.TryGetValue(out double same) && same == value))
                continue;
            yield return $"'{TrainPrefix}{key}' is {set?.ToJsonString() ?? "null"}, and {option} is {value.ToString(CultureInfo.InvariantCulture)}; they mean the same, so give one of them.";
        }
    }

    /// <summary>Every key after 'train.', as no other command lists them.</summary>
    private static string TrainingKeys => $" There are: {string.Join(", ", ConfigJson.Write(Defaults).Select(p => p.Key))}.";

    private static T? Collect<T>(List<string> problems, string prefix, Func<T> part, string keys = "")
        where T : class
    {
        try
        {
            return part();
        }
        catch (ConfigException e)
        {
            problems.AddRange(e.Problems.Select(p => WithPrefix(p, prefix) + (p.EndsWith(UnknownKey, StringComparison.Ordinal) ? keys : "")));
            return null;
        }
    }

    /// <summary>A problem with the prefix before the key that it begins with, and before the one that it suggests at its end.</summary>
    private static string WithPrefix(string problem, string prefix)
    {
        if (!problem.StartsWith('\''))
            return problem;
        var suggestion = problem.EndsWith("'?", StringComparison.Ordinal) ? problem.LastIndexOf(Suggestion, StringComparison.Ordinal) : -1;
        return suggestion < 0
            ? $"'{prefix}{problem[1..]}"
            : $"'{prefix}{problem[1..suggestion]}{Suggestion}{prefix}{problem[(suggestion + Suggestion.Length)..]}";
    }

    private static string Words(ModelKind kind) => kind switch
    {
        ModelKind.TokenModel => "model over tokens",
        ModelKind.ImageClassifier => "classifier of images",
        ModelKind.VectorSequence => "model over sequences of vectors",
        _ => kind.ToString(),
    };
}
