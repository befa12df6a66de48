using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Zoo.Architectures;
using Zoo.Host.Benchmarks;
using Zoo.Host.Configuration;
using Zoo.Kernels;
using Zoo.Native;

namespace Zoo.Host.Cli;

/// <summary>`zoo bench`: how fast a model or an op is, beside its floor and the other ways to compute the same.</summary>
internal sealed class BenchCommand : ZooCommand
{
    private const int DefaultWarmup = 3;
    private const int DefaultLength = 256;
    private const int DefaultDecodeLength = 64;

    private readonly Argument<string?> _model = new("model")
    {
        Description = "The architecture, by name or alias; or --op for an op.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string?> _op = OptionOf.Text("--op", "NAME", "Time an op instead of a model. `zoo show` lists a model's ops.");
    private readonly Option<string?> _mode = OptionOf.Text("--mode", "MODE", "train (default), prefill or decode.");
    private readonly Option<string?> _preset = OptionOf.Text("--preset", "PRESET", "The config to start from.");
    private readonly Option<string[]> _set = OptionOf.Sets("A config key of the model; with --op an option, or an optional argument as NAME=true (repeatable).");
    private readonly Option<int?> _batchSize = NumberOption.Int32("--batch-size", "Examples a batch, or sequences side by side.", least: 1, most: NumberOption.MostExamples);
    private readonly Option<int?> _length = NumberOption.Int32("--length", $"Time steps (default {DefaultLength}); tokens to decode (default {DefaultDecodeLength}).", least: 1);
    private readonly Option<string?> _dtype = DtypeName.Option(
        "fp32 (default) or bf16: products with weights; when decoding, how the weights are stored. A model that has a packed form decodes with it, the rest in bf16, unless this says fp32.");
    private readonly Option<string?> _shape = OptionOf.Text("--shape", "SIZES", "With --op: sizes of its axes, such as B=4,D=512,L=512.");
    private readonly Option<string?> _pass = OptionOf.Text("--pass", "PASS", "With --op: forward, or backward (forward and backward together); all that it has unless given.");
    private readonly Option<string?> _kernels = OptionOf.Text("--kernels", "BACKEND", "Time this backend alone; a comparison of all unless given.");
    private readonly Option<int?> _threads = NumberOption.Threads("Threads of the arithmetic (default 1).");
    private readonly Option<string?> _device = DeviceName.Option();
    private readonly Option<int?> _runs = NumberOption.Int32("--runs", $"Timed calls (default {BenchOptions.UsualRuns}); with --op in all, shared among what is compared (default: as many turns, of 0.05 s or one longer call each).", least: 1);
    private readonly Option<int?> _warmup = NumberOption.Int32("--warmup", $"Calls before the timed ones (default {DefaultWarmup}); with --op at least so many, and until the code is warm; 0 for none.", least: 0);

    private readonly Option<string?> _rates = OptionOf.Text(
        "--rates", "RATES", "Rates for the floor, such as dram=24.2,fp32=118,bf16=236,int8=473,exp=6.9 (GB/s, GFLOP/s, GFLOP/s, GOP/s, G/s); each that is left out is measured.");

    public BenchCommand() : base("bench", "Times a model (train, prefill, decode) or an op, in wall-clock and CPU time, beside its floor.")
    {
        Add(_model);
        foreach (var option in (Option[])[_op, _mode, _preset, _set, _batchSize, _length, _dtype, _shape, _pass, _kernels, _threads, _device, _runs, _warmup, _rates])
            Add(option);
    }

    public override int Run(ParseResult arguments, Session session)
    {
        var (model, op) = (arguments.GetValue(_model), arguments.GetValue(_op));
        if (model is not null && op is not null)
            throw new UserException($"'{model}' is a model and --op {op} an op: time one at a time, and leave the other out.");
        if (model is null && op is null)
            throw new UserException("Say what to time: `zoo bench MODEL`, or `zoo bench --op NAME`. `zoo list` shows the models.");
        foreach (var (option, forOp) in new (Option, bool)[] { (_mode, false), (_preset, false), (_batchSize, false), (_length, false), (_dtype, false), (_shape, true), (_pass, true) })
        {
            if (arguments.GetResult(option) is not null && forOp != op is not null)
                throw new UserException($"{option.Name} is for timing {(forOp ? "an op: add --op NAME" : "a model, not an op")}.");
        }
        var catalog = session.Catalog;
        LibTorch.Load();
        var threads = arguments.GetValue(_threads) ?? 1;
        Training.Threads.Use(threads);
        var typed = arguments.GetValue(_device);
        var (device, card) = op is null ? (DeviceName.Parse(typed), null) : DeviceName.ParseForOps(typed);
        var options = new BenchOptions
        {
            Runs = arguments.GetValue(_runs),
            Warmup = arguments.GetValue(_warmup) ?? DefaultWarmup,
            Threads = threads,
            Device = device,
            Card = card,
            Kernels = arguments.GetValue(_kernels) is { } kernels ? KernelChoice.Parse(kernels) : null,
            Cancellation = session.Interrupted,
        };
        if (op is not null)
            BenchOp(arguments, session, catalog.Ops.Get(op), options);
        else
            BenchModel(arguments, session, model!, options);
        return ExitCode.Done;
    }

    private void BenchModel(ParseResult arguments, Session session, string name, BenchOptions options)
    {
        var mode = OneOf("--mode", arguments.GetValue(_mode) ?? "train", ModelBench.Modes);
        var (installed, namedPreset) = session.Catalog.Architecture(name);
        var preset = RunPlanner.CheckPreset(installed, arguments.GetValue(_preset) ?? namedPreset);
        var length = arguments.GetValue(_length) ?? (mode == "decode" ? DefaultDecodeLength : DefaultLength);
        var sets = RunPlanner.ParseSets(arguments.GetValue(_set)!);
        var config = ModelBench.BindConfig(session.Catalog, installed, preset, sets, ModelBench.SequenceLength(mode, length));
        var training = RunPlanner.Complete(config.Training);
        var typed = arguments.GetValue(_dtype);
        var packed = mode == "decode" && installed.Info.Abilities.HasFlag(ModelAbilities.Packed) && typed != DtypeName.Float32;
        var results = ModelBench.Run(session.Catalog, new ModelBenchRequest(
            installed, config, mode, training,
            arguments.GetValue(_batchSize) ?? (mode == "train" ? training.BatchSize!.Value : 1),
            length, DtypeName.Parse(typed ?? (packed ? DtypeName.BFloat16 : DtypeName.Float32)))
        { Packed = packed }, options);

        var table = NewTable("Backends", "Tokens/s", "Tokens/CPU s", "CPU µs/token", "Peak memory", "Runs");
        foreach (var result in results)
        {
            session.Output.Record(result.ToJson());
            table.AddRow(
                result.Backends.Count == 0 ? "libtorch" : Markup.Escape(string.Join(", ", result.Backends.Select(b => $"{b.Key}={b.Value}"))),
                $"{result.TokensPerSecond:N0}", $"{result.CpuTokensPerSecond:N0}", $"{result.CpuSecondsPerToken * 1e6:N2}",
                $"{result.PeakMemoryBytes / (1 << 20):N0} MB", $"{result.Runs}");
        }
        if (session.Output.Json)
            return;
        var first = results[0];
        session.Output.Say($"{first.Model}, {first.Mode}: {first.Params:N0} parameters, batch {first.Batch}" +
            $"{(first.Time is { } time ? $", {time} time steps" : "; a sample counts as a token")}, {Counted.Of(first.Threads, "thread")}, {first.Dtype}{(first.Packed is { } form ? $", packed as {form}" : "")}");
        session.Output.Results.Write(table);
        if (first.Mode != "train")
        {
            session.Output.Say($"Weights {first.WeightBytes / 1e6:N1} MB; at most {(first.PeakMemoryBytes - first.MemoryBeforeBytes) / 1e6:N1} MB more were resident than before the model was built, " +
                $"{first.MemoryOverWeights:F2} times the weights.");
        }
        if (first.LateOverEarly is { } ratio)
            session.Output.Say($"The last tenth of the tokens took {ratio:F3} times as long as the first.");
        if (results.Count > 1)
            session.Output.Say($"The kernel is {results[1].CpuSecondsPerToken / first.CpuSecondsPerToken:N1} times as fast as separate tensor operations (median CPU time).");
    }

    private void BenchOp(ParseResult arguments, Session session, Op op, BenchOptions options)
    {
        var hasBackward = op.Arguments.Any(a => a.HasGradient);
        var passes = arguments.GetValue(_pass) is { } named ? [OneOf("--pass", named, OpBench.Passes)] : hasBackward ? OpBench.Passes : ["forward"];
        if (!hasBackward && passes.Contains("backward"))
            throw new UserException($"--pass backward: {op.Name} has no gradient; it has --pass forward.");
        var sizes = OpBench.ParseShape(op, arguments.GetValue(_shape));
        var sets = RunPlanner.ParseSets(arguments.GetValue(_set)!);
        OpBench.CheckSets(op, sets);   // before rates are measured for nothing
        var rates = Rates(arguments.GetValue(_rates), options, session.Output);
        var table = NewTable("Pass", "Backend", "Wall ms", "CPU ms", "Least CPU ms", "Floor ms", "× floor", "Runs");
        foreach (var pass in passes)
        {
            foreach (var record in OpBench.Run(op, sizes, sets, pass == "backward", rates, options))
            {
                session.Output.Record(record);
                var floor = record["floor_ms"]?.GetValue<double>();
                table.AddRow(
                    pass, Markup.Escape(record["backend"]!.GetValue<string>()), Number(record, "wall_ms_median"), Number(record, "cpu_ms_median"),
                    Number(record, "cpu_ms_min"), floor is null ? "-" : $"{floor:F4}",
                    floor is null ? "-" : $"{record[options.Card is null ? "cpu_ms_min" : "wall_ms_median"]!.GetValue<double>() / floor:F2}", record["runs"]!.ToJsonString());
            }
        }
        if (session.Output.Json)
            return;
        session.Output.Say($"{op.Name} {string.Join(", ", sizes.Select(s => $"{s.Key}={s.Value}"))}, {(options.Card is { } card ? $"{card.Name}, by its own clock" : Counted.Of(options.Threads, "thread"))}");
        session.Output.Results.Write(table);
    }

    /// <summary>As given, or as measured.</summary>
    private static MachineRates Rates(string? given, BenchOptions options, Output output)
    {
        var isCard = options.Card is not null;
        var (toGive, names) = (MachineRates.Given(given), isCard ? MachineRates.RateNames : MachineRates.MeasuredNames);
        if (names.Any(name => !toGive.ContainsKey(name)))
            output.Note($"Measuring the {(isCard ? "card" : "machine")}'s rates…");
        var rates = options.Card is { } card ? new CardRates(card).Parse(given) : MachineRates.Parse(given, options.Cancellation);
        output.Note($"{(isCard ? "The card" : "A thread")}: {rates.Describe(toGive.Keys.ToHashSet(), measuresProducts: isCard)}");
        return rates;
    }

    private static string Number(JsonObject record, string key) => record[key]!.GetValue<double>().ToString("F4", CultureInfo.InvariantCulture);

    private static Table NewTable(params string[] columns)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (var column in columns)
            table.AddColumn(new TableColumn(column) { Alignment = column is "Backends" or "Backend" or "Pass" ? Justify.Left : Justify.Right });
        return table;
    }

    private static string OneOf(string option, string typed, IReadOnlyList<string> choices) => choices.Contains(typed)
        ? typed
        : throw new UserException($"{option} {typed}: it must be one of {string.Join(", ", choices)}.{Names.DidYouMean(typed, choices)}");
}
