using System.CommandLine;
using System.Text.Json.Nodes;
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

    private readonly Option<string?> _data = new("--data")
    {
        Description = "Where the data lie now; where they lay in training unless given.",
        HelpName = "PATH",
    };

    private readonly Option<string[]> _set = OptionOf.Sets("Another value for a key of the model's config, such as attention=sage: the same weights, computed otherwise (repeatable).");

    private readonly Option<string> _device = DeviceName.Option();

    private readonly Option<string?> _dtype = DtypeName.Option("Arithmetic of products with weights: fp32 or bf16; as in training unless given.");

    private readonly Option<string> _kernels = new("--kernels")
    {
        Description = "Backend of the ops: auto, reference, cpu or cuda, or op=backend,… for some.",
        HelpName = "BACKEND",
        DefaultValueFactory = _ => "auto",
    };

    private readonly Option<int?> _threads = NumberOption.Int32(
        "--threads", "Threads of the arithmetic; as in training unless given.", least: 1);

    public EvalCommand() : base("eval", "Scores a trained model on its task's held-out data.")
    {
        foreach (var option in (Option[])[_data, _set, _device, _dtype, _kernels, _threads])
            Add(option);
        Add(_run);
    }

    public override int Run(ParseResult arguments, Session session)
    {
        var (output, catalog) = (session.Output, session.Catalog);
        var (_, record, checkpoint) = SavedModel.Find(arguments.GetValue(_run)!, output.Note).With(arguments.GetValue(_set)!);
        LibTorch.Load();
        var data = arguments.GetValue(_data);
        using var plan = record.Plan(catalog, data is null ? null : Path.GetFullPath(data));
        var device = DeviceName.Parse(arguments.GetValue(_device)!);
        Training.Threads.Use(arguments.GetValue(_threads) ?? record.Threads);
        var dtype = DtypeName.Parse(arguments.GetValue(_dtype) ?? record.Dtype);
        using var model = ModelFactory.Build(catalog, plan, record.Seed, device, KernelChoice.Parse(arguments.GetValue(_kernels)!), dtype);
        checkpoint.LoadModel(model);
        output.Note($"{record.Model}, preset {record.Preset}, after step {checkpoint.State.Step:N0} of {record.Steps:N0}: {checkpoint.Path}");
        output.Note($"{record.Task}: {plan.Data.Description}");

        using var interrupt = new Interrupt();
        var metrics = new Evaluator(model, plan.Data, device).Run(plan.Data.HeldOut, interrupt.Token);
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

    /// <summary>Metrics for people, one a line.</summary>
    public static void Say(Output output, IReadOnlyList<Metric> metrics)
    {
        var width = metrics.Select(m => m.Name.Length).DefaultIfEmpty().Max();
        foreach (var metric in metrics)
            output.Say($"  {metric.Name.PadRight(width)}  {metric.Value,10:G5}   n = {metric.Count:N0}");
    }
}
