using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.LeNet;
using Zoo.LeNet.Ops.Net;
using Zoo.Tasks;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Tests.LeNet;

/// <summary>The net's kernel against its tensor code: outputs, every gradient, and whole training steps.</summary>
public sealed class NetOpTests
{
    private static readonly long[][] Shapes =
        [[12, 1, 5, 5], [12, 8, 8], [12, 8, 5, 5], [12, 4, 4], [192, 30], [30], [30, 10], [10]];

    // Largest errors measured over these cases, relative to the larger of 1 and the largest value: outputs 4.6e-7, gradients 9.2e-7.
    [Test]
    public void Invoke_Kernel_EqualsFloat64Reference(
        [Values(1, 2, 5)] int batch, [Values] bool relu, [Values] bool tanhOutputs, [Values] bool dropout, [Values] bool imageGradient)
    {
        using var scope = NewDisposeScope();
        manual_seed(batch);
        var inputs = new NamedTensors { ["x"] = rand(batch, 1, 16, 16) * 2 - 1 };
        foreach (var (name, shape) in NetLayout.Names.Zip(Shapes))
            inputs[name] = (rand(shape) * 2 - 1) * (shape.Length > 1 ? 2.4 / Math.Sqrt(shape.Length == 4 ? shape[1] * 25 : shape[0]) : 0.3);
        if (dropout)
            inputs["kept"] = rand(batch, 192).gt(0.25).to(float32) / 0.75;
        var options = new OpOptions(new JsonObject { ["relu"] = relu, ["tanh_outputs"] = tanhOutputs, ["hidden_border"] = relu ? 0.0 : -1.0 });
        var probe = randn(batch, 10);

        var expected = Run(float64, "reference");
        var actual = Run(float32, "cpu");
        Assert.That(actual.Keys, Is.EqualTo(expected.Keys));
        foreach (var (name, tensor) in expected)
        {
            var error = (actual[name].to(float64) - tensor).abs().max().item<double>();
            var scale = Math.Max(1, tensor.abs().max().item<double>());
            TestContext.Out.WriteLine($"{(name == "logits" ? "logits" : "gradient")} {error / scale:E1}");
            Assert.That(error / scale, Is.LessThan(name == "logits" ? 1e-6 : 2e-6), name);
        }

        NamedTensors Run(ScalarType dtype, string kernels)
        {
            var leaves = new NamedTensors(inputs.Select(p => KeyValuePair.Create(
                p.Key, p.Value.to(dtype).detach().requires_grad_(p.Key != "kept" && (imageGradient || p.Key != "x")))));
            var result = NetOp.Instance.Invoke(leaves, options, KernelChoice.Parse(kernels));
            Gradients.Backward((result.Outputs["logits"] * probe.to(dtype)).sum());
            return new NamedTensors(leaves.Where(l => l.Value.requires_grad).Select(l => KeyValuePair.Create(l.Key, l.Value.grad!)))
            {
                ["logits"] = result.Outputs["logits"].detach(),
            };
        }
    }

    private static IEnumerable<TestCaseData> Settings =>
        from preset in new[] { "default", "softmax", "adamw", "shift", "modern" }
        from batch in new[] { 1, 3 }
        select new TestCaseData(preset, batch).SetArgDisplayNames(preset, $"batch {batch}");

    // 60 steps from the same start; largest differences measured: losses 1.7e-6, parameters 1.2e-7.
    [TestCaseSource(nameof(Settings))]
    public void RunFused_SixtySteps_EqualTheTensorPath(string preset, int batchSize)
    {
        const int steps = 60;
        using var scope = NewDisposeScope();
        IModelArchitecture architecture = new LeNetArchitecture();
        var config = (LeNetConfig)architecture.Presets[preset];
        var settings = config.Training with { BatchSize = batchSize, Momentum = config.Optimizer == OptimizerKind.Sgd ? 0.5 : 0, WeightDecay = 0.01 };
        manual_seed(7);
        var images = rand(steps * batchSize, 1, 16, 16) * 2 - 1;
        var labels = randint(10, [steps * batchSize], int64);
        var rates = Enumerable.Range(0, steps).Select(i => settings.LearningRate!.Value * (1 - 0.01 * i)).ToArray();

        var (tensors, tensorLosses) = Train(fused: false);
        var (kernel, kernelLosses) = Train(fused: true);
        Assert.That(kernelLosses, Is.EqualTo(tensorLosses).Within(4e-6));
        TestContext.Out.WriteLine($"loss {tensorLosses.Zip(kernelLosses, (a, b) => Math.Abs(a - b)).Max():E1}, parameter {tensors.Max(t => (kernel[t.Key] - t.Value).abs().max().item<float>()):E1}");
        foreach (var (name, tensor) in tensors)
            Assert.That((kernel[name] - tensor).abs().max().item<float>(), Is.LessThan(5e-7), name);

        (NamedTensors, double[]) Train(bool fused)
        {
            manual_seed(3);
            var model = (LeNetModel)architecture.CreateModel(config, new BuildContext { Kernels = KernelChoice.Parse("reference") });
            model.Randomness = new CounterRandom(11);
            model.train();
            var parameters = model.TrainableParameters().ToDictionary(p => p.Name, p => p.Parameter);
            var state = new NamedTensors();
            foreach (var (name, parameter) in parameters)
            {
                foreach (var buffer in new[] { "momentum_buffer", "exp_avg", "exp_avg_sq" })
                    state[$"{name}.{buffer}"] = zeros_like(parameter);
            }
            var losses = new double[steps];
            if (fused)
            {
                // In two calls, as a run is cut into pieces.
                for (var start = 0; start < steps; start += 30)
                {
                    var part = new double[30];
                    model.RunFused(new FusedSteps
                    {
                        Examples = new ImageBatch(
                            images.narrow(0, start * batchSize, 30 * batchSize), labels.narrow(0, start * batchSize, 30 * batchSize)),
                        BatchSize = batchSize,
                        Settings = settings,
                        OptimizerStep = start,
                        LearningRates = rates[start..(start + 30)],
                        Losses = part,
                        OptimizerState = state,
                        Threads = 1,
                    });
                    part.CopyTo(losses, start);
                }
            }
            else
            {
                for (var i = 0; i < steps; i++)
                {
                    var batch = new ImageBatch(images.narrow(0, i * batchSize, batchSize), labels.narrow(0, i * batchSize, batchSize));
                    var loss = model.Run(batch).Loss;
                    losses[i] = loss.item<float>();
                    loss.backward();
                    foreach (var (name, parameter) in parameters)
                        Update(parameter, state, name, rates[i], i + 1);
                }
            }
            return (new NamedTensors(parameters.Select(p => KeyValuePair.Create(p.Key, p.Value.detach()))), losses);
        }

        void Update(Tensor parameter, NamedTensors state, string name, double rate, int step)
        {
            using var noGrad = no_grad();
            var gradient = parameter.grad!;
            if (settings.Optimizer == OptimizerKind.Sgd)
            {
                var buffer = state[$"{name}.momentum_buffer"];
                buffer.mul_(settings.Momentum!.Value).add_(gradient).add_(parameter, alpha: settings.WeightDecay!.Value);
                parameter.add_(buffer, alpha: -rate);
            }
            else
            {
                var (first, second) = (state[$"{name}.exp_avg"], state[$"{name}.exp_avg_sq"]);
                first.mul_(0.9).add_(gradient, alpha: 0.1);
                second.mul_(0.999).addcmul_(gradient, gradient, 0.001);
                parameter.mul_(1 - rate * settings.WeightDecay!.Value);
                var denominator = (second / (1 - Math.Pow(0.999, step))).sqrt() + 1e-8;
                parameter.addcdiv_(first / (1 - Math.Pow(0.9, step)), denominator, -rate);
            }
            gradient.zero_();
        }
    }

    [Test]
    public void RejectFused_ClippingOrAccumulation_SaysWhy()
    {
        Assert.That(NetTraining.Reject(new TrainingSettings { GradientClip = 1 }), Does.Contain("clip is 1"));
        Assert.That(NetTraining.Reject(new TrainingSettings { Accumulate = 4 }), Does.Contain("accumulate is 4"));
        Assert.That(NetTraining.Reject(new TrainingSettings { GradientClip = 0, Accumulate = 1 }), Is.Null);
    }
}
