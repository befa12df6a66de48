using System.Diagnostics;
using System.Globalization;
using System.Runtime;
using System.Text.Json.Nodes;
using Zoo.Host.Training;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Host.Benchmarks;

/// <summary>Times an op on random inputs: its backends, and the other ways to compute the same.</summary>
internal static class OpBench
{
    /// <summary>
    /// Seconds of one contestant's calls before the next one's turn, on a machine whose speed may change meanwhile. A turn of one short call would
    /// time all of them cold beside a contestant that reads much.
    /// </summary>
    private const double SecondsOfTurn = 0.05;

    /// <summary>
    /// Seconds for which calls are warmed up at least, and at most; in between they end when nothing was compiled for a while, which is twice the
    /// delay after which the runtime compiles anew what is called often. Its compiling in the background would count as CPU time of the calls.
    /// </summary>
    private const double LeastSecondsOfWarmup = 0.3, MostSecondsOfWarmup = 3, SecondsWithoutCompiling = 0.2;

    /// <summary>The passes there are.</summary>
    public static IReadOnlyList<string> Passes { get; } = ["forward", "backward"];

    /// <summary>Reads `--shape B=4,D=512`.</summary>
    /// <exception cref="UserException">It is malformed, or a letter of a required argument is missing, named twice or not the op's.</exception>
    public static IReadOnlyDictionary<string, long> ParseShape(Op op, string? text)
    {
        var letters = op.Arguments.SelectMany(a => a.Letters).Distinct().ToList();
        var sizes = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var part in (text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = part.IndexOf('=');
            if (equals < 1 || !long.TryParse(part[(equals + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var size))
                throw new UserException($"--shape {text}: '{part}' must be LETTER=SIZE, such as B=4.");
            if (size == 0)
                throw new UserException($"--shape {text}: '{part}' leaves nothing to time; a size is at least 1.");
            if (!letters.Contains(part[..equals]))
                throw new UserException($"--shape {text}: {op.Name} has no axis '{part[..equals]}'; it has {string.Join(", ", letters)}.");
            if (!sizes.TryAdd(part[..equals], size))
                throw new UserException($"--shape {text}: '{part[..equals]}' is named twice.");
        }
        foreach (var (letter, source) in op.ImpliedSizes)
        {
            if (sizes.TryGetValue(source, out var size))
                sizes.TryAdd(letter, size);
        }
        var needed = op.Arguments.Where(a => !a.Optional).SelectMany(a => a.Axes).SelectMany(OpArgument.LettersOf).Distinct().Where(l => !sizes.ContainsKey(l)).ToList();
        return needed.Count == 0
            ? sizes
            : throw new UserException($"{op.Name} also needs the size of {string.Join(", ", needed)}: --shape {string.Join(',', letters.Select(l => $"{l}={(sizes.TryGetValue(l, out var s) ? s : "…")}"))}.");
    }

    /// <summary>Times the op; one record a backend or baseline.</summary>
    /// <param name="op">The op.</param>
    /// <param name="sizes">By axis.</param>
    /// <param name="sets">Options by name; the name of an optional argument with true adds that argument.</param>
    /// <param name="backward">Forward and backward together, instead of forward alone.</param>
    /// <param name="rates">For the floor; null for none.</param>
    /// <param name="options">How.</param>
    /// <exception cref="UserException">A set is none of the op's, or the named backend rejects the inputs.</exception>
    /// <exception cref="EnvironmentException">Memory ran out, or does not even hold the inputs.</exception>
    public static IReadOnlyList<JsonObject> Run(
        Op op, IReadOnlyDictionary<string, long> sizes, JsonObject sets, bool backward, MachineRates? rates, BenchOptions options)
    {
        try
        {
            return Time(op, sizes, sets, backward, rates, options);
        }
        catch (Exception e) when (MemoryShortage.Caused(e))
        {
            throw MemoryShortage.Error($"timing {op.Name} ({Words(sizes)})", "Lower --shape.", e);
        }
    }

    private static List<JsonObject> Time(
        Op op, IReadOnlyDictionary<string, long> sizes, JsonObject sets, bool backward, MachineRates? rates, BenchOptions options)
    {
        var chosen = CheckSets(op, sets);
        var opOptions = new OpOptions(new JsonObject(sets.Where(s => op.Options.Contains(s.Key)).Select(s => KeyValuePair.Create(s.Key, s.Value?.DeepClone()))));
        var given = op.Arguments.Where(a => !a.Optional || chosen.Contains(a.Name)).ToList();
        RequireMemory(op, given, sizes);
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = new NamedTensors(given.Select(a => KeyValuePair.Create(a.Name, Sample(op, a, sizes, options.Device))));
        var call = op.Describe(inputs, opOptions);
        var floor = op.Floor(call, backward) is { } cost ? rates?.FloorMilliseconds(cost) : null;
        var tensorsOnCard = options.Device.type == TorchSharp.DeviceType.CUDA;
        var records = new List<JsonObject>();
        if (options.Card is { } card && (!tensorsOnCard || CardBench.IsWanted(op, options.Kernels)))
        {
            records.Add(Record(KernelChoice.Cuda, CardBench.Run(op, inputs, opOptions, backward, card, options)));
            if (!tensorsOnCard || options.Kernels?.For(op.Name) is not null)
                return records;
        }

        var contestants = Contestants(op, inputs, opOptions, options.Kernels).Where(c => records.Count == 0 || c.Name != KernelChoice.Cuda).ToList();
        var timings = contestants.Select(_ => new Timing()).ToList();
        var cotangents = new List<Tensor>?[contestants.Count];
        for (var i = 0; i < contestants.Count; i++)
            WarmUp(contestants[i].Run, ref cotangents[i]);
        // A number of calls that the user gave is kept to; otherwise short calls fill their turns, so that the least and the median are of many.
        int? most = options.Runs is { } runs ? Math.Max(1, runs / contestants.Count) : null;
        var turns = Math.Max(1, BenchOptions.UsualRuns / contestants.Count);
        for (var turn = 0; most is { } calls ? timings.Exists(t => t.Runs < calls) : turn < turns; turn++)
        {
            for (var i = 0; i < contestants.Count; i++)
                TakeTurn(contestants[i].Run, timings[i], ref cotangents[i]);
        }
        return [.. records, .. contestants.Zip(timings, (contestant, timing) => Record(contestant.Name, timing))];

        void WarmUp(Func<NamedTensors, OpOptions, NamedTensors> contestant, ref List<Tensor>? cotangent)
        {
            if (options.Warmup == 0)
                return;
            var start = Stopwatch.GetTimestamp();
            var (compiled, since) = (JitInfo.GetCompiledMethodCount(), start);
            for (var run = 0; run < options.Warmup || !IsWarm(); run++)
            {
                Call(contestant, new Timing(), ref cotangent);
                if (JitInfo.GetCompiledMethodCount() is var now && now != compiled)
                    (compiled, since) = (now, Stopwatch.GetTimestamp());
            }

            bool IsWarm() => Stopwatch.GetElapsedTime(start).TotalSeconds is var elapsed && elapsed >= LeastSecondsOfWarmup
                && (elapsed >= MostSecondsOfWarmup || Stopwatch.GetElapsedTime(since).TotalSeconds >= SecondsWithoutCompiling);
        }

        void TakeTurn(Func<NamedTensors, OpOptions, NamedTensors> contestant, Timing timing, ref List<Tensor>? cotangent)
        {
            var start = Stopwatch.GetTimestamp();
            for (var run = 0; (run == 0 || Stopwatch.GetElapsedTime(start).TotalSeconds < SecondsOfTurn) && (most is null || timing.Runs < most); run++)
                Call(contestant, timing, ref cotangent);
        }

        void Call(Func<NamedTensors, OpOptions, NamedTensors> contestant, Timing timing, ref List<Tensor>? cotangent)
        {
            options.Cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            if (backward)
                Backward(contestant, inputs, opOptions, timing, ref cotangent);
            else
                Forward(contestant, inputs, opOptions, timing);
        }

        JsonObject Record(string backend, Timing timing) => new()
        {
            ["kind"] = "op",
            ["op"] = op.Name,
            ["backend"] = backend,
            ["backends"] = new JsonObject { [op.Name] = backend },
            ["pass"] = backward ? "backward" : "forward",
            ["shape"] = new JsonObject(sizes.Select(s => KeyValuePair.Create<string, JsonNode?>(s.Key, s.Value))),
            ["threads"] = options.Threads,
            ["wall_ms_median"] = Math.Round(timing.WallMedian * 1e3, 5),
            ["cpu_ms_median"] = Math.Round(timing.CpuMedian * 1e3, 5),
            ["cpu_ms_min"] = Math.Round(timing.CpuLeast * 1e3, 5),
            ["floor_ms"] = floor is { } f ? Math.Round(f, 6) : null,
            ["runs"] = timing.Runs,
        };
    }

    /// <summary>Optional arguments that were switched on.</summary>
    /// <exception cref="UserException">A set is none of the op's.</exception>
    public static HashSet<string> CheckSets(Op op, JsonObject sets)
    {
        var chosen = new HashSet<string>(StringComparer.Ordinal);
        var optional = op.Arguments.Where(a => a.Optional).Select(a => a.Name).ToList();
        foreach (var (name, value) in sets)
        {
            if (op.Options.Contains(name))
                continue;
            if (!optional.Contains(name))
            {
                throw new UserException($"--set {name}: {op.Name} has no option or optional argument '{name}'; " +
                    $"it has {string.Join(", ", op.Options.Concat(optional))}.{Names.DidYouMean(name, op.Options.Concat(optional))}");
            }
            if (value?.GetValueKind() is not (System.Text.Json.JsonValueKind.True or System.Text.Json.JsonValueKind.False))
                throw new UserException($"--set {name}={value?.ToJsonString()}: '{name}' is an optional argument; say true to give it.");
            if (value.GetValue<bool>())
                chosen.Add(name);
        }
        return chosen;
    }

    /// <summary>Random numbers that memory cannot hold end the process in libtorch, so they are not asked for.</summary>
    private static void RequireMemory(Op op, IReadOnlyList<OpArgument> given, IReadOnlyDictionary<string, long> sizes)
    {
        var available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var bytes = given.Sum(a => Shape(op, a, sizes).Aggregate((double)sizeof(float), (product, size) => product * size));
        if (bytes > available)
        {
            throw new EnvironmentException(
                $"The inputs of {op.Name} ({Words(sizes)}) are {bytes / 1e9:N1} GB, and this machine has {available / 1e9:N1} GB of memory. Lower --shape.");
        }
    }

    private static Tensor Sample(Op op, OpArgument argument, IReadOnlyDictionary<string, long> sizes, Device device) =>
        op.Sample(argument, Shape(op, argument, sizes)).to(device);

    private static long[] Shape(Op op, OpArgument argument, IReadOnlyDictionary<string, long> sizes) =>
        [.. argument.AxesFor(sizes).Where(a => a != "...").Select(a => OpArgument.SizeOf(a, sizes)
            ?? throw new UserException($"'{argument.Name}' of {op.Name} also needs the size of {a}: add {a}=… to --shape."))];

    private static string Words(IReadOnlyDictionary<string, long> sizes) => string.Join(", ", sizes.Select(s => $"{s.Key}={s.Value}"));

    /// <summary>The named backend alone; or every backend that takes the inputs, the reference and the baselines.</summary>
    private static List<OpBaseline> Contestants(Op op, NamedTensors inputs, OpOptions options, KernelChoice? named)
    {
        if (named?.For(op.Name) is not null)
        {
            var backend = op.BackendFor(inputs, options, named);
            return [new OpBaseline(backend, (given, o) => op.Invoke(given, o, named).Outputs)];
        }
        var list = new List<OpBaseline>();
        foreach (var backend in op.Kernels.Select(k => k.Backend).Append(KernelChoice.Reference))
        {
            var choice = KernelChoice.Parse(backend);
            try
            {
                op.BackendFor(inputs, options, choice);
            }
            catch (UserException)
            {
                continue;   // not here, or not for these inputs: a comparison shows what there is
            }
            list.Add(new OpBaseline(backend, (given, o) => op.Invoke(given, o, choice).Outputs));
        }
        list.AddRange(op.Baselines);
        return list;
    }

    private static void Forward(Func<NamedTensors, OpOptions, NamedTensors> run, NamedTensors inputs, OpOptions options, Timing timing)
    {
        using var noGrad = no_grad();
        var isOnCard = IsOnCard(inputs);
        timing.Measure(() =>
        {
            run(inputs, options);
            Finish(isOnCard);
        });
    }

    private static void Backward(
        Func<NamedTensors, OpOptions, NamedTensors> run, NamedTensors inputs, OpOptions options, Timing timing, ref List<Tensor>? cotangents)
    {
        var leaves = new NamedTensors(inputs.Select(i => KeyValuePair.Create(i.Key, i.Value.is_floating_point() ? i.Value.detach().requires_grad_() : i.Value)));
        cotangents ??= [.. run(leaves, options).Values.Where(o => o.requires_grad).Select(o => ones_like(o).MoveToOuterDisposeScope())];
        var given = cotangents;
        var isOnCard = IsOnCard(inputs);
        timing.Measure(() =>
        {
            Gradients.Backward([.. run(leaves, options).Values.Where(o => o.requires_grad)], given);
            Finish(isOnCard);
        });
    }

    /// <summary>A card goes on working after the calls return.</summary>
    private static void Finish(bool isOnCard)
    {
        if (isOnCard)
            cuda.synchronize();
    }

    private static bool IsOnCard(NamedTensors inputs) => inputs.Values.Any(t => t.device_type == TorchSharp.DeviceType.CUDA);
}
