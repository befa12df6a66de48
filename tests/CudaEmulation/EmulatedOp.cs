using System.Text.Json.Nodes;
using NUnit.Framework;
using Zoo.Files;
using Zoo.Kernels;
using Zoo.Kernels.Cuda;
using static TorchSharp.torch;

namespace Zoo.CudaEmulation;

/// <summary>
/// Tests an op's cuda kernels in one line: through the op's own entry, forward and backward, on the emulator with two schedules, and where the
/// machine has a card, on that too.
/// </summary>
public static class EmulatedOp
{
    /// <summary>The schedules that must give the same bits.</summary>
    public static IReadOnlyList<CudaSchedule> Schedules { get; } = [CudaSchedule.Ascending, CudaSchedule.Descending];

    /// <summary>
    /// Requires that outputs and gradients are those of the reference in float64, and the same bits on every schedule. Memory that the kernels
    /// write holds NaN before. The test is skipped where nothing can be emulated.
    /// </summary>
    /// <param name="op">The op.</param>
    /// <param name="inputs">float32 on the CPU, of any strides.</param>
    /// <param name="tolerance">Of the difference, in units of the largest value of the output or gradient, or 1 where that is less.</param>
    /// <param name="options">Its options.</param>
    /// <param name="wanted">Inputs whose gradients are wanted; every floating point one unless given.</param>
    /// <param name="unused">Outputs that enter no loss: their gradients are absent.</param>
    /// <param name="architecture">The card.</param>
    /// <returns>The largest difference and what it was in, for a tolerance to be set by.</returns>
    public static (double Worst, string What) Check(
        Op op, NamedTensors inputs, double tolerance, OpOptions? options = null, IReadOnlyCollection<string>? wanted = null,
        IReadOnlyCollection<string>? unused = null, int architecture = 90)
    {
        Require();
        options ??= OpOptions.None;
        wanted ??= [.. inputs.Where(i => i.Value.is_floating_point() && op.Arguments.First(a => a.Name == i.Key).HasGradient).Select(i => i.Key)];
        using var scope = NewDisposeScope();
        var exact = Run(op, inputs, options, KernelChoice.Reference, ScalarType.Float64, wanted, Probe);
        var results = Schedules.Select(schedule => Emulated(op, inputs, options, wanted, Probe, architecture, schedule)).ToList();
        RequireSameBits(op, results);
        if (Card is { } card)
            RequireClose(OnCard(card, op, inputs, options, wanted, Probe), $"on {card.Name}");
        return RequireClose(results[0], "emulated");

        (double Worst, string What) RequireClose(NamedTensors actual, string where)
        {
            var worst = Difference(actual, exact);
            TestContext.Out.WriteLine($"{op.Name}, {where}: largest difference {worst.Worst:E1}, of {worst.What}");
            Assert.That(worst.Worst, Is.LessThanOrEqualTo(tolerance), $"{op.Name}, {where}: {worst.What} differs from the float64 reference");
            return worst;
        }

        Tensor? Probe(string name, Tensor output) => unused?.Contains(name) == true ? null : ProbeOf(name, output);
    }

    /// <summary>Requires that the emulated kernels give a recorded case's outputs and gradients, within its own tolerances, on every schedule.</summary>
    /// <param name="op">The op.</param>
    /// <param name="path">The case's file.</param>
    /// <param name="architecture">The card.</param>
    public static void CheckGolden(Op op, string path, int architecture = 90)
    {
        Require();
        using var scope = NewDisposeScope();
        using var file = SafeTensorsFile.Open(path);
        var tensors = file.LoadAll();
        var config = JsonNode.Parse(file.Metadata["config"])!.AsObject();
        var options = new OpOptions(new JsonObject(config.Where(c => op.Options.Contains(c.Key)).Select(c => KeyValuePair.Create(c.Key, c.Value?.DeepClone()))));
        double atol = Number("atol"), rtol = Number("rtol");
        var inputs = With("in.", "param.");
        var gradients = With("grad.in.", "grad.param.");
        var probes = With("probe.");
        var results = Schedules.Select(schedule =>
            Emulated(op, inputs, options, gradients.Keys, (name, _) => probes.Find(name), architecture, schedule)).ToList();
        RequireSameBits(op, results);
        if (Card is { } card)
            RequireRecorded(OnCard(card, op, inputs, options, gradients.Keys, (name, _) => probes.Find(name)), $"on {card.Name}");
        RequireRecorded(results[0], "emulated");

        void RequireRecorded(NamedTensors results, string where)
        {
            foreach (var (name, expected) in With("out.").Concat(gradients.Select(g => KeyValuePair.Create(GradientOf(g.Key), g.Value))))
            {
                var actual = results.Find(name);
                Assert.That(actual, Is.Not.Null, $"{name} is there");
                var excess = (actual!.to(ScalarType.Float64) - expected.to(ScalarType.Float64)).abs() - atol - rtol * expected.to(ScalarType.Float64).abs();
                Assert.That(excess.nan_to_num(double.PositiveInfinity).max().item<double>(), Is.LessThanOrEqualTo(0), $"{Path.GetFileName(path)}, {where}: {name}");
            }
        }

        double Number(string key) => double.Parse(file.Metadata[key], System.Globalization.CultureInfo.InvariantCulture);

        NamedTensors With(params string[] prefixes) => new(
            from prefix in prefixes
            from tensor in tensors
            where tensor.Key.StartsWith(prefix, StringComparison.Ordinal)
            select KeyValuePair.Create(tensor.Key[prefix.Length..], tensor.Value));
    }

    /// <summary>The recorded cases of an op: those in a plugin's own folder, and those that ZOO_GOLDEN or shared/golden beside the repository has.</summary>
    /// <param name="op">Its name.</param>
    /// <param name="repository">Folder of Zoo.sln.</param>
    /// <param name="plugin">The plugin's folder name; null for the ops of the contract.</param>
    public static IReadOnlyList<string> GoldenCases(string op, string repository, string? plugin = null)
    {
        string?[] folders =
        [
            plugin is null ? null : Path.Combine(repository, "plugins", plugin, "golden"),
            Environment.GetEnvironmentVariable("ZOO_GOLDEN") ?? Path.Combine(repository, "..", "shared", "golden"),
        ];
        return [.. folders.Where(Directory.Exists).SelectMany(f => Directory.EnumerateFiles(f!, "*.safetensors").Order(StringComparer.Ordinal))
            .DistinctBy(Path.GetFileName).Where(IsOfOp)];

        bool IsOfOp(string path)
        {
            using var file = SafeTensorsFile.Open(path);
            return file.Metadata.GetValueOrDefault("level") == "op" && file.Metadata.GetValueOrDefault("name") == op;
        }
    }

    /// <summary>Skips the test, with the reason, where nothing can be emulated.</summary>
    public static void Require()
    {
        if (CudaEmulator.WhyNone is { } why)
            Assert.Ignore($"Kernels cannot be emulated here: {why}.");
    }

    /// <summary>The machine's card, where it has one and a compiler for it.</summary>
    private static ICudaDevice? Card => CudaCompiler.Shared.WhyNone is null && CudaDevices.WhyNone() is null ? CudaDevices.Open() : null;

    private static NamedTensors OnCard(
        ICudaDevice card, Op op, NamedTensors inputs, OpOptions options, IEnumerable<string> wanted, Func<string, Tensor, Tensor?> probe)
    {
        using var use = CudaDevices.Use(card);
        return Run(op, inputs, options, $"{op.Name}={KernelChoice.Cuda}", ScalarType.Float32, wanted, probe);
    }

    /// <summary>Outputs by name, and gradients by <see cref="GradientOf"/>, of the emulated kernels.</summary>
    private static NamedTensors Emulated(
        Op op, NamedTensors inputs, OpOptions options, IEnumerable<string> wanted, Func<string, Tensor, Tensor?> probe, int architecture, CudaSchedule schedule)
    {
        using var emulation = CudaEmulator.Install(architecture, schedule);
        return Run(op, inputs, options, $"{op.Name}={KernelChoice.Cuda}", ScalarType.Float32, wanted, probe);
    }

    private static string GradientOf(string name) => "gradient of " + name;

    private static NamedTensors Run(
        Op op, NamedTensors inputs, OpOptions options, string kernels, ScalarType dtype, IEnumerable<string> wanted, Func<string, Tensor, Tensor?> probe)
    {
        var names = wanted.ToHashSet(StringComparer.Ordinal);
        var leaves = new NamedTensors(inputs.Select(i => KeyValuePair.Create(
            i.Key, !i.Value.is_floating_point() ? i.Value : Fresh(i.Key, i.Value.detach().to(dtype)).requires_grad_(names.Contains(i.Key)))));
        var outputs = op.Invoke(leaves, options, KernelChoice.Parse(kernels)).Outputs;
        var results = new NamedTensors(outputs.Select(o => KeyValuePair.Create(o.Key, o.Value.detach())));
        Tensor? loss = null;
        foreach (var (name, output) in outputs)
        {
            if (!output.requires_grad || probe(name, output) is not { } weights)
                continue;
            var term = (output * weights.to(output.dtype)).sum();
            loss = loss is null ? term : loss + term;
        }
        if (loss is null)
            return results;
        Gradients.Backward(loss);
        foreach (var name in names)
            results[GradientOf(name)] = leaves[name].grad ?? zeros_like(leaves[name]);
        return results;

        // What a run updates in place must be as before for the next one.
        Tensor Fresh(string name, Tensor tensor) => op.Arguments.First(a => a.Name == name).Updated ? tensor.clone() : tensor;
    }

    /// <summary>Numbers between -1 and 1 that only depend on the output's name and size.</summary>
    private static Tensor ProbeOf(string name, Tensor output)
    {
        var values = new Random(name.Length + 17);
        var data = new float[output.numel()];
        for (var i = 0; i < data.Length; i++)
            data[i] = 2 * values.NextSingle() - 1;
        return tensor(data, output.shape);
    }

    private static void RequireSameBits(Op op, IReadOnlyList<NamedTensors> results)
    {
        foreach (var (name, first) in results[0])
        {
            for (var i = 1; i < results.Count; i++)
            {
                var other = results[i][name];
                var same = first.eq(other) | (first.ne(first) & other.ne(other));   // NaN equals NaN here
                Assert.That(same.all().item<bool>(), Is.True, $"{op.Name}, emulated: {name} depends on the order in which threads run ({Schedules[0]}, {Schedules[i]}): a race");
            }
        }
    }

    private static (double Worst, string What) Difference(NamedTensors actual, NamedTensors expected)
    {
        var worst = (Error: 0.0, What: "nothing");
        foreach (var (name, tensor) in actual)
        {
            Assert.That(tensor.shape, Is.EqualTo(expected[name].shape), name);
            if (tensor.numel() == 0)
                continue;
            var exact = expected[name].to(ScalarType.Float64);
            var size = Math.Max(1, exact.abs().max().item<double>());
            var error = (tensor.to(ScalarType.Float64) - exact).abs().nan_to_num(double.PositiveInfinity).max().item<double>() / size;
            if (error > worst.Error)
                worst = (error, name);
        }
        return worst;
    }
}
