using System.CommandLine;
using System.Text.Json.Nodes;
using TorchSharp;
using Zoo.Host.Configuration;
using Zoo.Host.Runs;
using Zoo.Host.Training;
using Zoo.Kernels;
using Zoo.Native;
using Zoo.Tasks;

namespace Zoo.Host.Cli;

/// <summary>`zoo eval`: held-out metrics of a run or one of its checkpoints.</summary>
internal sealed class EvalCommand : ZooCommand
{
    private readonly Argument<string> _run = new("run")
    {
        Description = "A run folder, which means its newest whole checkpoint, or one checkpoint's folder.",
    };

    private readonly Option<string?> _data = OptionOf.Path("--data", "PATH", "Where the data lie now; where they lay in training unless given.");

    private readonly Option<string?> _task = OptionOf.Text("--task", "TASK", "What an imported run is scored on: its own task is not known. `zoo list` names them.");
    private readonly Option<int?> _length = NumberOption.Int32("--length", "Sequence length to score an imported run at; the task's own unless given.", least: 1);

    private readonly Option<string[]> _set = OptionOf.Sets(
        "Another value for a key of the model's config, such as attention=sage: the same weights, computed otherwise; of an imported run also the task's, as task.KEY (repeatable).");

    private readonly Option<string?> _device = DeviceName.Option();

    private readonly Option<string?> _dtype = DtypeName.Option("Arithmetic of products with weights: fp32 or bf16; as in training unless given.");

    private readonly Option<string?> _kernels = OptionOf.Kernels();

    private readonly Option<int?> _threads = NumberOption.Threads("Threads of the arithmetic; as in training unless given.");

    public EvalCommand() : base("eval", "Scores a trained model on its task's held-out data.")
    {
        foreach (var option in (Option[])[_task, _data, _length, _set, _device, _dtype, _kernels, _threads])
            Add(option);
        Add(_run);
        _run.Validators.Add(OptionOf.RequireName);
    }

    public override int Run(ParseResult arguments, Session session)
    {
        var (output, catalog) = (session.Output, session.Catalog);   // it writes nothing, so an interrupt may end it anywhere
        var saved = SavedModel.Find(arguments.GetValue(_run)!, output.Note);
        var sets = arguments.GetValue(_set)!.ToLookup(set => saved.Record.Imported && RunPlanner.IsForTask(set));
        saved = saved.With([.. sets[false]]);
        var (record, checkpoint) = (saved.Record, saved.Checkpoint);
        LibTorch.Load();
        using var plan = Plan(arguments, record, catalog, [.. sets[true]]);
        var device = DeviceName.Parse(arguments.GetValue(_device));
        var dtype = DtypeName.Parse(arguments.GetValue(_dtype) ?? record.Dtype);
        var kernels = KernelChoice.Parse(arguments.GetValue(_kernels) ?? "auto");
        using var model = saved.Build(catalog, device, kernels, dtype, packed: record.Packed is not null);
        if (record.Imported)
            plan.RequireFit(model);
        Training.Threads.Use(arguments.GetValue(_threads) ?? (record.Imported
            ? ModelFactory.DefaultThreads(ModelFactory.ParameterCount(model), plan.Data.Shape.Length ?? 1, torch.get_num_threads())
            : record.Threads));
        output.Note(record.Imported
            ? $"{record.Model}, {record.Data}: {checkpoint.Path}"
            : $"{record.Model}, preset {record.Preset}, after step {checkpoint.State.Step:N0} of {record.Steps:N0}: {checkpoint.Path}");
        output.Note($"{plan.Task.Info.Name}: {plan.Data.Description}");
        if (record.Imported && plan.Data.Text is CharacterEncoding)
            output.Note($"Weights do not say what their ids mean: {plan.Task.Info.Name} numbers the characters of this text by their code points.");

        var metrics = new Evaluator(model, plan.Data, device).Run(plan.Data.HeldOut);
        foreach (var metric in metrics)
        {
            output.Record(new JsonObject
            {
                ["metric"] = metric.Name,
                ["value"] = double.IsFinite(metric.Value) ? metric.Value : null,
                ["n"] = metric.Count,
            });
        }
        if (!output.Json)
            Say(output, metrics);
        return ExitCode.Done;
    }

    /// <summary>The run's own task, or for an imported run the one that was named.</summary>
    private RunPlan Plan(ParseResult arguments, RunRecord record, Catalog catalog, IReadOnlyList<string> taskSets)
    {
        var data = arguments.GetValue(_data) is { } path ? Path.GetFullPath(path) : null;
        var (task, length) = (arguments.GetValue(_task), arguments.GetValue(_length));
        if (record.Imported)
            return record.PlanImported(catalog, new RunRequest(record.Model) { Task = task, DataPath = data, Length = length, Sets = taskSets, Seed = record.Seed });
        var other = task is not null && task != record.Task ? $"--task {task}" : length is not null && length != record.Length ? $"--length {length}" : null;
        return other is null
            ? record.Plan(catalog, data)
            : throw new UserException($"{other}: this run was trained on {record.Task}{(record.Length is { } own ? $" at length {own}" : "")} and is scored as it was trained; leave it out.");
    }

    /// <summary>Metrics for people, one a line.</summary>
    public static void Say(Output output, IReadOnlyList<Metric> metrics)
    {
        var width = metrics.Select(m => m.Name.Length).DefaultIfEmpty().Max();
        foreach (var metric in metrics)
            output.Say($"  {metric.Name.PadRight(width)}  {metric.Value,10:G5}   n = {metric.Count:N0}");
    }
}
