using System.Text.Json.Nodes;
using TorchSharp.Modules;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

/// <summary>Optimisers' updates of many tensors at once, against torch's own optimisers and float64.</summary>
public sealed class UpdateTests
{
    /// <summary>After five updates of values up to 4.5. Measured against torch in float32: 2.4e-7.</summary>
    private const double Tolerance = 5e-7;

    /// <summary>The same against float64, whose 1 - lr·λ is not rounded: 1.1e-6, on both backends.</summary>
    private const double Float64Tolerance = 2e-6;

    /// <summary>One number, parts of a vector, whole ones, one piece and one more, several pieces, and nothing.</summary>
    private static readonly long[][] Shapes = [[1], [7], [16], [3, 11], [64, 65], [8192], [8193], [3, 7001], [0], [2, 0]];

    public enum Rule
    {
        AdamW,
        AdamWWithoutDecay,
        Sgd,
        SgdWithMomentum,
    }

    [Test]
    public void Apply_ManyTensorsWithRatesOfTheirOwn_EqualsFloat64([Values] Rule rule, [Values(0, 0.5)] double largestNorm, [Values("cpu", "reference")] string kernels)
    {
        using var scope = NewDisposeScope();
        var (got, exact) = (new Subject(rule, ScalarType.Float32), new Subject(rule, ScalarType.Float64));
        for (var step = 1; step <= 5; step++)
        {
            var norm = got.Step(step, largestNorm, kernels);
            var exactNorm = exact.Step(step, largestNorm, "reference");
            if (largestNorm > 0)
                Assert.That(norm, Is.EqualTo(exactNorm).Within(4e-5).Percent);
            else
                Assert.That(norm, Is.Null);
        }
        Assert.That(Difference(got.Everything, exact.Everything), Is.LessThan(Float64Tolerance));
        Assert.That(Difference(got.Values, exact.Start), Is.GreaterThan(1e-3), "the values moved");
    }

    [Test]
    public void Apply_ManyTensors_EqualsTorch([Values] Rule rule, [Values(0, 0.5)] double largestNorm)
    {
        using var scope = NewDisposeScope();
        var subject = new Subject(rule, ScalarType.Float32);
        // One optimiser a tensor, so that each has its own rate and decay; clipping goes over all of them.
        var parameters = subject.Start.Select(v => new Parameter(v.clone())).ToList();
        var optimizers = parameters.Select((p, i) => Subject.Torch(rule, p, i)).ToList();
        for (var step = 1; step <= 5; step++)
        {
            var norm = subject.Step(step, largestNorm, "cpu");
            foreach (var (parameter, gradient) in parameters.Zip(subject.Gradients(step)))
                parameter.grad = gradient.clone();
            if (largestNorm > 0)
                Assert.That(norm, Is.EqualTo(nn.utils.clip_grad_norm_(parameters, largestNorm)).Within(1e-4).Percent);
            foreach (var optimizer in optimizers)
                optimizer.step();
        }
        Assert.That(Difference(subject.Values, [.. parameters]), Is.LessThan(Tolerance));
    }

    [Test]
    public void Apply_BFloat16GradientAndCopy_AsFloat32OfTheGradientAndRoundedValues([Values] Rule rule, [Values("cpu", "reference")] string kernels)
    {
        using var scope = NewDisposeScope();
        var (plain, mixed) = (new Subject(rule, ScalarType.Float32) { RoundGradients = true }, new Subject(rule, ScalarType.Float32) { BFloat16 = true });
        for (var step = 1; step <= 3; step++)
        {
            plain.Step(step, 0.5, kernels);
            mixed.Step(step, 0.5, kernels);
        }
        foreach (var (expected, actual) in plain.Everything.Zip(mixed.Everything))
            Assert.That(actual.Equals(expected), Is.True);
        foreach (var (value, copy) in mixed.Values.Zip(mixed.Copies))
            Assert.That(copy.Equals(value.to(ScalarType.BFloat16)), Is.True);
    }

    [Test]
    public void Apply_TwoThreads_SameBits([Values] Rule rule)
    {
        using var scope = NewDisposeScope();
        var before = WorkShare.Threads;
        try
        {
            var results = new List<List<Tensor>>();
            foreach (var threads in new[] { 1, 2, 3 })
            {
                WorkShare.Threads = threads;
                var subject = new Subject(rule, ScalarType.Float32);
                var norm = subject.Step(1, 0.5, "cpu");
                results.Add([.. subject.Everything, tensor(norm!.Value)]);
            }
            foreach (var other in results.Skip(1))
                Assert.That(other.Zip(results[0]).All(pair => pair.First.Equals(pair.Second)), Is.True);
        }
        finally
        {
            WorkShare.Threads = before;
        }
    }

    [Test]
    public void Apply_ValueOfAnotherLayout_IsUpdatedInPlace()
    {
        using var scope = NewDisposeScope();
        var value = arange(12, dtype: ScalarType.Float32).view(3, 4).t();
        var gradient = ones(3, 4).t();
        SgdUpdate.Instance.Apply([new("w", value, gradient, 0.5, 0) { State = [] }], new SgdRule(0), kernels: KernelChoice.Parse("cpu"));
        Assert.That(value.Equals(arange(12, dtype: ScalarType.Float32).view(3, 4).t() - 0.5f), Is.True);
        Assert.That(gradient.Equals(ones(4, 3)), Is.True);
    }

    [TestCase(float.NaN), TestCase(float.PositiveInfinity), TestCase(1e20f)]
    public void Apply_NormNotFinite_UpdatesNothing(float number)
    {
        using var scope = NewDisposeScope();
        foreach (var kernels in new[] { "cpu", "reference" })
        {
            var (value, m, v) = (ones(100), zeros(100), zeros(100));
            var gradient = ones(100);
            gradient[41] = number;
            var result = AdamWUpdate.Instance.Apply(
                [new("w", value, gradient, 0.1, 0.1) { State = [m, v] }], new AdamWRule(0.9, 0.99, 1e-8, 1), largestNorm: 1, KernelChoice.Parse(kernels));
            Assert.That(result.GradientNorm, Is.Not.Null.And.Not.EqualTo(0));
            Assert.That(double.IsFinite(result.GradientNorm!.Value), Is.False);
            Assert.That((value.Equals(ones(100)), m.Equals(zeros(100)), v.Equals(zeros(100))), Is.EqualTo((true, true, true)));
        }
    }

    [Test]
    public void Apply_InfiniteBound_GivesTheNormAndClipsNothing()
    {
        using var scope = NewDisposeScope();
        var value = zeros(2, 100);
        var result = SgdUpdate.Instance.Apply([new("w", value, full([2, 100], 3f), 1, 0)], new SgdRule(0), double.PositiveInfinity);
        Assert.That(result.GradientNorm, Is.EqualTo(3 * Math.Sqrt(200)).Within(1e-5).Percent);
        Assert.That(value.Equals(full([2, 100], -3f)), Is.True);
        Assert.That(SgdUpdate.Instance.Apply([], new SgdRule(0), 1).GradientNorm, Is.Zero);
    }

    [Test]
    public void Apply_NoMoreGradient_MomentsBecomeZeroAndNeverDenormal()
    {
        using var scope = NewDisposeScope();
        var (value, m, v, b) = (ones(37), full(37, 1e-3f), full(37, 1e-6f), full(37, 1e-3f));
        var none = zeros(37);
        for (var step = 1; step <= 2500; step++)
        {
            AdamWUpdate.Instance.Apply([new("w", value, none, 0.01, 0) { State = [m, v] }], new AdamWRule(0.9, 0.95, 1e-8, step), kernels: KernelChoice.Parse("cpu"));
            SgdUpdate.Instance.Apply([new("w", value, none, 0.01, 0) { State = [b] }], new SgdRule(0.9), kernels: KernelChoice.Parse("cpu"));
            if (step % 100 == 0)
                Assert.That(((stack([m, v, b]).abs() > 0) & (stack([m, v, b]).abs() < 1.17549435e-38f)).any().item<bool>(), Is.False, $"step {step}");
        }
        Assert.That(stack([m, v, b]).Equals(zeros(3, 37)), Is.True);
        Assert.That(value.isfinite().all().item<bool>(), Is.True);
    }

    [Test]
    public void Apply_NoEpsilon_TinySecondMomentsStay()
    {
        using var scope = NewDisposeScope();
        var (value, m, v) = (zeros(16), zeros(16), zeros(16));
        AdamWUpdate.Instance.Apply(
            [new("w", value, full(16, 1e-17f), 0.5, 0) { State = [m, v] }], new AdamWRule(0, 0.99999, 0, 1), kernels: KernelChoice.Parse("cpu"));
        Assert.That(value.data<float>().ToArray(), Is.All.EqualTo(-0.5f).Within(0.01), "the square's share of 1e-39 has four digits");
    }

    [Test]
    public void Apply_TensorsThatDoNotFit_AreRefusedInWords()
    {
        using var scope = NewDisposeScope();
        var cpu = KernelChoice.Parse("cpu");
        var (adam, rule) = (AdamWUpdate.Instance, new AdamWRule(0.9, 0.99, 1e-8, 1));
        Assert.That(() => adam.Apply([new("fc.weight", ones(5), ones(3), 1, 0) { State = [ones(5), ones(5)] }], rule),
            Throws.TypeOf<ShapeException>().With.Message.EqualTo("adamw: the gradient of 'fc.weight' is [3] but must be [5]."));
        Assert.That(() => adam.Apply([new("fc.weight", ones(5), ones(5), 1, 0) { State = [ones(5)] }], rule),
            Throws.TypeOf<ShapeException>().With.Message.EqualTo("adamw: 'fc.weight' comes with 1 state tensors but needs 2."));
        Assert.That(() => adam.Apply([new("w", ones(5, dtype: float64), ones(5, dtype: float64), 1, 0) { State = [ones(5), ones(5)] }], rule, 0, cpu),
            Throws.TypeOf<BackendRejectedException>().With.Message.EqualTo(
                "--kernels cpu: adamw cannot run on 'cpu': 'w' is Float64; the cpu backend is written for Float32."));
    }

    [Test]
    public void Invoke_RowsOfATensor_AreUpdatedInPlaceAndAreTheOutputs([Values("cpu", "reference")] string kernels, [Values] bool strided)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var names = new[] { "params", "grads", "exp_avg", "exp_avg_sq" };
        var inputs = new NamedTensors(names.Select(n => KeyValuePair.Create(n, strided ? rand(37, 3).t() : rand(3, 37))));
        var before = new NamedTensors(inputs.Select(i => KeyValuePair.Create(i.Key, i.Value.clone())));
        var options = new OpOptions(new JsonObject { ["lr"] = 0.1, ["weight_decay"] = 0.2, ["step"] = 3, ["max_norm"] = 1.0 });
        var outputs = AdamWUpdate.Instance.Invoke(inputs, options, KernelChoice.Parse(kernels)).Outputs;

        var expected = new NamedTensors(before.Select(i => KeyValuePair.Create(i.Key, i.Value.to(ScalarType.Float64))));
        var expectedNorm = AdamWUpdate.Instance.Invoke(expected, options, KernelChoice.Parse("reference")).Outputs["grad_norm"];
        Assert.That(outputs.Keys, Is.EquivalentTo(AdamWUpdate.Instance.Outputs));
        Assert.That(outputs["grad_norm"].item<float>(), Is.EqualTo(expectedNorm.item<double>()).Within(1e-5).Percent);
        foreach (var name in names)
        {
            Assert.That(Difference([inputs[name]], [expected[name]]), Is.LessThan(Tolerance), name);
            Assert.That(inputs[name].Equals(before[name]), Is.EqualTo(name == "grads"), name);
            if (name != "grads")
                Assert.That(outputs[name].Equals(inputs[name]) && outputs[name].Handle != inputs[name].Handle, Is.True, name);
        }
    }

    [Test]
    public void Invoke_SgdWithBuffer_HasMomentumUnlessItIsSaid()
    {
        using var scope = NewDisposeScope();
        NamedTensors Inputs() => new() { ["params"] = zeros(1, 20), ["grads"] = ones(1, 20), ["momentum_buffer"] = ones(1, 20) };
        var inputs = Inputs();
        SgdUpdate.Instance.Invoke(inputs, new OpOptions(new JsonObject { ["lr"] = 1 }), KernelChoice.Auto);
        Assert.That(inputs["params"].data<float>().ToArray(), Is.All.EqualTo(-1.9f).Within(1e-6));
        Assert.That(() => SgdUpdate.Instance.Invoke(new() { ["params"] = ones(1, 2), ["grads"] = ones(1, 2) },
            new OpOptions(new JsonObject { ["momentum"] = 0.5 }), KernelChoice.Auto), Throws.TypeOf<ShapeException>().With.Message.Contains("'momentum_buffer'"));
    }

    [Test]
    public void Invoke_RequiresGradientOrWrongOption_IsRefused()
    {
        using var scope = NewDisposeScope();
        NamedTensors Inputs() => new() { ["params"] = ones(1, 2), ["grads"] = ones(1, 2), ["exp_avg"] = ones(1, 2), ["exp_avg_sq"] = ones(1, 2) };
        var inputs = Inputs();
        inputs["params"].requires_grad_();
        Assert.That(() => AdamWUpdate.Instance.Invoke(inputs, OpOptions.None, KernelChoice.Auto),
            Throws.TypeOf<ShapeException>().With.Message.EqualTo("adamw has no gradient of 'params', which requires one; detach it."));
        foreach (var (name, value) in new[] { ("beta1", 1.0), ("beta2", -0.1), ("eps", -1), ("lr", -1), ("weight_decay", -1), ("max_norm", -1), ("step", 0) })
        {
            Assert.That(() => AdamWUpdate.Instance.Invoke(Inputs(), new OpOptions(new JsonObject { [name] = name == "step" ? 0L : value }), KernelChoice.Auto),
                Throws.TypeOf<UserException>().With.Message.Contains($"'{name}' is"), name);
        }
    }

    private static double Difference(IEnumerable<Tensor> actual, IEnumerable<Tensor> expected) => actual.Zip(expected).Max(pair => pair.First.numel() == 0
        ? 0
        : (pair.First.to(ScalarType.Float64) - pair.Second.to(ScalarType.Float64)).abs().nan_to_num(double.PositiveInfinity).max().item<double>());

    /// <summary>Tensors of many sizes with rates of their own, and the same gradients for every subject.</summary>
    private sealed class Subject
    {
        private readonly Rule _rule;
        private readonly ScalarType _dtype;
        private readonly List<Tensor[]> _states;

        public Subject(Rule rule, ScalarType dtype)
        {
            (_rule, _dtype) = (rule, dtype);
            manual_seed(4);
            Start = [.. Shapes.Select(s => randn(s).to(dtype))];
            Values = [.. Start.Select(v => v.clone())];
            Copies = [.. Start.Select(v => full(v.shape, float.NaN, ScalarType.BFloat16))];
            _states = [.. Start.Select(v => Enumerable.Range(0, StateCount).Select(_ => zeros_like(v)).ToArray())];
        }

        public bool BFloat16 { get; init; }

        public bool RoundGradients { get; init; }

        public List<Tensor> Start { get; }

        public List<Tensor> Values { get; }

        public List<Tensor> Copies { get; }

        public List<Tensor> Everything => [.. Values, .. _states.SelectMany(s => s)];

        private int StateCount => _rule switch
        {
            Rule.Sgd => 0,
            Rule.SgdWithMomentum => 1,
            _ => 2,
        };

        public List<Tensor> Gradients(int step)
        {
            manual_seed(100 + step);
            var rounded = Shapes.Select(s => randn(s) * 0.1f).ToList();
            return BFloat16 ? [.. rounded.Select(g => g.to(ScalarType.BFloat16))]
                : RoundGradients ? [.. rounded.Select(g => g.to(ScalarType.BFloat16).to(_dtype))]
                : [.. rounded.Select(g => g.to(_dtype))];
        }

        public double? Step(int step, double largestNorm, string kernels)
        {
            var gradients = Gradients(step);
            List<UpdatedTensor> tensors = [.. Values.Select((value, i) => new UpdatedTensor($"t{i}", value, gradients[i], Rate(i), Decay(_rule, i))
            {
                State = _states[i],
                LowPrecision = BFloat16 ? Copies[i] : null,
            })];
            var result = _rule is Rule.AdamW or Rule.AdamWWithoutDecay
                ? AdamWUpdate.Instance.Apply(tensors, new AdamWRule(0.9, 0.95, 1e-8, step), largestNorm, KernelChoice.Parse(kernels))
                : SgdUpdate.Instance.Apply(tensors, new SgdRule(_rule == Rule.Sgd ? 0 : 0.9), largestNorm, KernelChoice.Parse(kernels));
            Assert.That(result.Backend, Is.EqualTo(kernels));
            return result.GradientNorm;
        }

        public static optim.Optimizer Torch(Rule rule, Parameter parameter, int index) => rule is Rule.AdamW or Rule.AdamWWithoutDecay
            ? optim.AdamW([parameter], Rate(index), 0.9, 0.95, 1e-8, Decay(rule, index))
            : optim.SGD([parameter], Rate(index), rule == Rule.Sgd ? 0 : 0.9, weight_decay: Decay(rule, index));

        private static double Rate(int index) => 0.01 * (1 + index % 3);

        private static double Decay(Rule rule, int index) => rule == Rule.AdamWWithoutDecay ? 0 : 0.1 * (index % 2);
    }
}
