using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.LeNet;
using static TorchSharp.torch;

namespace Zoo.Tests.LeNet;

public sealed class BatchNormOpTests
{
    /// <summary>
    /// In units of the largest value, at least 1; measured: 4.9e-7 on cpu, 4.6e-7 on the reference, most of it libtorch's.
    /// </summary>
    private const double Tolerance = 1e-5;
    private const double Eps = 1e-5;

    private static readonly string[] BothBackends = ["reference", "cpu"];

    private static readonly long[][] Shapes =
    [
        [2, 1], [3, 5], [7, 17], [13, 31], [60, 100], [257, 3],                                      // [batch, dim]
        [2, 1, 1, 1], [1, 3, 5, 7], [1, 2, 1, 2], [2, 3, 1, 1], [5, 7, 3, 5], [4, 12, 4, 4], [3, 12, 8, 8], [2, 33, 7, 9], [6, 2, 13, 17],
    ];

    private static IEnumerable<TestCaseData> EveryCase =>
        from shape in Shapes
        from training in new[] { true, false }
        from backend in BothBackends
        select new TestCaseData(shape, training, backend).SetArgDisplayNames(
            string.Join('x', shape), training ? "training" : "evaluation", backend);

    [TestCaseSource(nameof(EveryCase))]
    public void Apply_AnyShape_EqualsLibtorchWithGradients(long[] shape, bool training, string backend)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(shape);
        var ours = Ours(inputs, training, backend);
        var libtorch = Libtorch(inputs, training, ScalarType.Float32);
        foreach (var name in libtorch.Keys)
            AssertClose(ours[name], libtorch[name], Tolerance * Size(libtorch[name]), $"{name} of {string.Join(" x ", shape)}");
    }

    [TestCaseSource(nameof(EveryCase))]
    public void Apply_AnyShape_IsNearFloat64(long[] shape, bool training, string backend)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(shape);
        var ours = Ours(inputs, training, backend);
        var exact = Libtorch(inputs, training, ScalarType.Float64);
        foreach (var name in exact.Keys)
        {
            // The cpu backend rounds each output once: at most half a unit in the last place of the largest, 6.0e-8 of it; the test's own
            // update of the running statistics rounds thrice. The reference rounds all along: measured 2.6e-7.
            var share = backend == "reference" ? 2e-6 : name.StartsWith("running", StringComparison.Ordinal) ? 2e-7 : 6.0e-8;
            var bound = share * Size(exact[name]);
            AssertClose(ours[name], exact[name], bound, $"{name} of {string.Join(" x ", shape)}");
        }
    }

    [Test]
    public void Apply_Float64OnReference_EqualsLibtorchToItsBits([Values] bool training)
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors(Inputs([6, 5, 3, 2]).Select(p => KeyValuePair.Create(p.Key, p.Value.to(ScalarType.Float64))));
        var ours = Ours(inputs, training, "auto");
        var libtorch = Libtorch(inputs, training, ScalarType.Float64);
        foreach (var name in libtorch.Keys)
            AssertClose(ours[name], libtorch[name], 1e-13, name);
    }

    [TestCase("cpu", 1e-6), TestCase("reference", 0.15)]   // it rounds the mean to float32, whose steps at 1e4 are a tenth of the deviation
    public void Apply_MeanAMillionDeviationsAway_KeepsWhatTheInputHas(string backend, double bound)
    {
        using var scope = NewDisposeScope();
        foreach (var shape in new long[][] { [64, 20], [8, 5, 4, 4] })
        {
            var inputs = Inputs(shape);
            inputs["x"] = inputs["x"] * 0.01 + 1e4;
            var ours = Ours(inputs, training: true, backend);
            var exact = Libtorch(inputs, training: true, ScalarType.Float64);
            foreach (var name in new[] { "y", "gradient of weight", "gradient of bias" })
                AssertClose(ours[name], exact[name], bound * Size(exact[name]), name);
            AssertClose(ours["gradient of x"], exact["gradient of x"], bound * exact["gradient of x"].abs().max().item<double>(),
                "gradient of x");
        }
    }

    [Test]
    public void Apply_ConstantChannel_GivesTheBiasAndFiniteGradients([ValueSource(nameof(BothBackends))] string backend)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs([4, 3, 2, 2]);
        inputs["x"] = full([4, 3, 2, 2], 0.1f);
        var ours = Ours(inputs, training: true, backend);
        Assert.That(ours.Values.All(t => t.isfinite().all().item<bool>()), Is.True);
        // reference: 0.1's mean rounds, times 1 / sqrt(eps)
        AssertClose(ours["y"], inputs["bias"].view(1, 3, 1, 1).expand(4, 3, 2, 2), 1e-4, "y");
    }

    [Test]
    public void Apply_NotFinite_StaysInItsChannel([ValueSource(nameof(BothBackends))] string backend,
        [Values(float.NaN, float.PositiveInfinity)] float bad)
    {
        using var scope = NewDisposeScope();
        foreach (var shape in new long[][] { [5, 20], [2, 3, 4, 5] })
        {
            var inputs = Inputs(shape);
            inputs["x"].select(1, 1)[0] = bad;
            var finite = Ours(inputs, training: true, backend)["y"].transpose(0, 1).flatten(1).isfinite().all(1).data<bool>().ToArray();
            Assert.That(finite.Select((f, i) => f == (i != 1)), Is.All.True);
        }
    }

    [Test]
    public void Invoke_AnyInputUnwanted_OtherGradientsStay([Values] bool training, [Values(1, 2, 3, 4, 5, 6)] int wanted,
        [Values] bool images)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(images ? [3, 5, 2, 3] : [6, 19]);
        var all = Ours(inputs, training, "cpu");
        string[] names = ["x", "weight", "bias"];
        var some = Ours(inputs, training, "cpu", [.. names.Where((_, i) => (wanted >> i & 1) == 1)]);
        Assert.That(some.Keys.Count(k => k.StartsWith("gradient", StringComparison.Ordinal)), Is.EqualTo(int.PopCount(wanted)));
        foreach (var (name, value) in some)
            TensorAssert.Close(value, all[name], 0, 0, name);
    }

    [Test]
    public void Invoke_NoWeightAndNoBias_EqualsOneAndZero([ValueSource(nameof(BothBackends))] string backend, [Values] bool images)
    {
        using var scope = NewDisposeScope();
        var x = images ? randn(4, 6, 5) : randn(9, 21, 1);
        var channels = x.shape[1];
        var bare = BatchNorm.Instance.Invoke(new() { ["x"] = x }, OpOptions.None, KernelChoice.Parse(backend)).Outputs["y"];
        var full = BatchNorm.Instance.Invoke(
            new() { ["x"] = x, ["weight"] = ones(channels), ["bias"] = zeros(channels) }, OpOptions.None, KernelChoice.Parse(backend))
            .Outputs["y"];
        AssertClose(bare, full, 0, "y");
    }

    [Test]
    public void Invoke_MoreThreads_SameBits([Values] bool images, [Values] bool training)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(images ? [9, 37, 20, 23] : [2111, 70]);
        var before = WorkShare.Threads;
        try
        {
            WorkShare.Threads = 1;
            var one = Ours(inputs, training, "cpu");
            WorkShare.Threads = 3;
            var three = Ours(inputs, training, "cpu");
            foreach (var (name, value) in one)
                TensorAssert.Close(three[name], value, 0, 0, name);
        }
        finally
        {
            WorkShare.Threads = before;
        }
    }

    [Test]
    public void Invoke_Strided_EqualsContiguous([ValueSource(nameof(BothBackends))] string backend)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs([7, 12]);
        var contiguous = Ours(inputs, training: true, backend);
        inputs["x"] = inputs["x"].t().contiguous().t();
        var strided = Ours(inputs, training: true, backend);
        foreach (var (name, value) in contiguous)
            AssertClose(strided[name], value, 1e-6, name);
    }

    [TestCase(new long[] { 1, 4 }, "[1, 4, 1], 1")]
    [TestCase(new long[] { 1, 4, 1, 1 }, "[1, 4, 1], 1")]
    [TestCase(new long[] { 0, 4 }, "[0, 4, 1], 0")]
    public void Apply_OneValueAChannelInTraining_IsRefused(long[] shape, string sizes)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(shape);
        var sentence = $"batch_norm: 'x' is {sizes} values a channel, " +
            "and the variance of a batch needs at least 2 in training; take larger batches.";
        foreach (var backend in BothBackends)
        {
            Assert.That(() => Ours(inputs, training: true, backend), Throws.TypeOf<ShapeException>().With.Message.EqualTo(sentence));
            Assert.That(Ours(inputs, training: false, backend)["y"].shape, Is.EqualTo(shape));
        }
    }

    [Test]
    public void Invoke_EvaluationWithoutStatistics_IsRefused()
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors { ["x"] = randn(2, 3, 4), ["running_mean"] = zeros(3) };
        Assert.That(() => BatchNorm.Instance.Invoke(inputs, new OpOptions(new JsonObject { ["training"] = false }), KernelChoice.Auto),
            Throws.TypeOf<ShapeException>()
                .With.Message.EqualTo("batch_norm needs the arguments 'running_mean' and 'running_var' outside training."));
    }

    [Test]
    public void Invoke_NegativeEps_IsRefused()
    {
        using var x = randn(2, 3, 4);
        var options = new OpOptions(new JsonObject { ["eps"] = -1.0 });
        Assert.That(() => BatchNorm.Instance.Invoke(new() { ["x"] = x }, options, KernelChoice.Auto),
            Throws.TypeOf<UserException>().With.Message.EqualTo("batch_norm: 'eps' is -1; it must be at least 0."));
    }

    [Test]
    public void Invoke_GradientOfRunningStatistics_OnlyReferenceHasIt()
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors { ["x"] = randn(2, 3, 4), ["running_mean"] = zeros(3).requires_grad_(), ["running_var"] = ones(3) };
        var evaluation = new OpOptions(new JsonObject { ["training"] = false });
        Assert.That(BatchNorm.Instance.BackendFor(inputs, evaluation, KernelChoice.Auto), Is.EqualTo("reference"));
        Assert.That(() => BatchNorm.Instance.Invoke(inputs, evaluation, KernelChoice.Parse("cpu")), Throws.InstanceOf<UserException>()
            .With.Message.Contains("a gradient of the running statistics is wanted, which only the reference backend has"));
    }

    private static NamedTensors Inputs(long[] shape)
    {
        manual_seed(7);
        var channels = shape[1];
        return new()
        {
            ["x"] = randn(shape) * 2 + 0.5,
            ["weight"] = rand(channels) + 0.5,
            ["bias"] = randn(channels),
            ["running_mean"] = randn(channels) * 0.3,
            ["running_var"] = rand(channels) + 0.5,
            ["gradient"] = randn(shape),
        };
    }

    /// <summary>
    /// y, gradients, and in training the running statistics as PyTorch would have them after this batch with momentum 0.1.
    /// </summary>
    private static NamedTensors Ours(NamedTensors inputs, bool training, string backend, string[]? wanted = null)
    {
        var leaves = Leaves(inputs, inputs["x"].dtype, wanted ?? ["x", "weight", "bias"]);
        var (y, mean, variance) = BatchNorm.Apply(leaves["x"], leaves["weight"], leaves["bias"], leaves["running_mean"],
            leaves["running_var"], training, Eps, KernelChoice.Parse(backend));
        Assert.That(mean.requires_grad || variance.requires_grad, Is.False);
        double count = y.numel() / y.shape[1];
        return Results(leaves, y,
            training ? leaves["running_mean"] * 0.9 + mean * 0.1 : mean,
            training ? leaves["running_var"] * 0.9 + variance * (0.1 * count / (count - 1)) : variance);
    }

    private static NamedTensors Libtorch(NamedTensors inputs, bool training, ScalarType dtype)
    {
        var leaves = Leaves(inputs, dtype, ["x", "weight", "bias"]);
        var y = nn.functional.batch_norm(leaves["x"], leaves["running_mean"], leaves["running_var"], leaves["weight"], leaves["bias"],
            training, 0.1, Eps);
        return Results(leaves, y, leaves["running_mean"], leaves["running_var"]);
    }

    private static NamedTensors Leaves(NamedTensors inputs, ScalarType dtype, string[] wanted) =>
        new(inputs.Select(p => KeyValuePair.Create(p.Key, p.Value.to(dtype, copy: true).requires_grad_(wanted.Contains(p.Key)))));

    private static NamedTensors Results(NamedTensors leaves, Tensor y, Tensor runningMean, Tensor runningVar)
    {
        Gradients.Backward((y * leaves["gradient"]).sum());
        var results = new NamedTensors { ["y"] = y.detach(), ["running_mean"] = runningMean, ["running_var"] = runningVar };
        foreach (var name in new[] { "x", "weight", "bias" })
        {
            if (leaves[name].requires_grad)
                results[$"gradient of {name}"] = leaves[name].grad!;
        }
        return results;
    }

    /// <summary>The largest value, at least 1: what errors are measured against.</summary>
    private static double Size(Tensor values) => Math.Max(1, values.abs().max().to(ScalarType.Float64).item<double>());

    private static void AssertClose(Tensor actual, Tensor expected, double bound, string what)
    {
        TensorAssert.Close(actual, expected, bound, 0, what);
    }
}
