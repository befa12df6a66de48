using System.Text.Json.Nodes;
using TorchSharp;
using Zoo.Architectures;
using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.Kernels.Cuda;
using Zoo.LeNet;
using Zoo.LeNet.Ops.Net;
using Zoo.Tasks;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Tests.LeNet;

/// <summary>The cuda kernels of the net of 1989, emulated: outputs, every gradient, and whole training steps.</summary>
public sealed class NetCudaTests
{
    /// <summary>Measured, in units of the largest value: 4.8e-7.</summary>
    private const double Tolerance = 1e-6;

    private static readonly long[][] Shapes =
        [[12, 1, 5, 5], [12, 8, 8], [12, 8, 5, 5], [12, 4, 4], [192, 30], [30], [30, 10], [10]];

    /// <summary>9 images are more than the emulated card has multiprocessors.</summary>
    [Test]
    public void Kernel_AnyForm_EqualsFloat64([Values(1, 9)] int batch, [Values] bool relu, [Values] bool tanhOutputs, [Values] bool dropout)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(NetOp.Instance, Inputs(batch, dropout), Tolerance, Options(relu, tanhOutputs));
    }

    [Test]
    public void Kernel_SomeGradientsOnly_AreThose([Values("x", "H1w", "H3b", "outb")] string wanted)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(NetOp.Instance, Inputs(2, dropout: false), Tolerance, Options(relu: false, tanhOutputs: true), [wanted]);
    }

    [Test]
    public void Kernel_NoImages_GivesNoGradient()
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(NetOp.Instance, Inputs(0, dropout: false), Tolerance, Options(relu: false, tanhOutputs: true));
    }

    /// <summary>Measured: losses 1.2e-7, parameters 1.2e-7, momentum buffers 1.0e-7.</summary>
    [Test]
    public void Steps_OfSgd_EqualTheCpuKernel([Values(1, 3)] int batchSize, [Values(0, 0.5)] double momentum)
    {
        EmulatedOp.Require();
        const int steps = 12;
        using var scope = NewDisposeScope();
        IModelArchitecture architecture = new LeNetArchitecture();
        var config = (LeNetConfig)architecture.Presets["default"];
        var settings = config.Training with { BatchSize = batchSize, Momentum = momentum, WeightDecay = 0.01 };
        Assert.That(NetStepsCuda.Reject(settings, config, new CudaEmulator()), Is.Null);
        manual_seed(7);
        var images = rand(steps * batchSize, 1, 16, 16) * 2 - 1;
        var labels = randint(10, [steps * batchSize], int64);
        var rates = Enumerable.Range(0, steps).Select(i => 0.03 * (1 - 0.01 * i)).ToArray();
        var model = (LeNetModel)architecture.CreateModel(config, new BuildContext { Kernels = KernelChoice.Parse("reference") });
        var parameters = model.TrainableParameters().ToDictionary(p => p.Name, p => p.Parameter);
        var starts = NetLayout.Names.Select(n => parameters[n].detach().clone()).ToArray();
        var state = new NamedTensors(NetLayout.Names.Select(n => KeyValuePair.Create($"{n}.momentum_buffer", zeros_like(parameters[n]))));
        var losses = new double[steps];
        model.RunFused(new FusedSteps
        {
            Examples = new ImageBatch(images, labels),
            BatchSize = batchSize,
            Settings = settings,
            OptimizerStep = 0,
            LearningRates = rates,
            Losses = losses,
            OptimizerState = state,
            Threads = 1,
        });

        var moved = 0f;
        foreach (var schedule in EmulatedOp.Schedules)
        {
            var device = new CudaEmulator(schedule: schedule);
            var buffers = starts.Select(s => DeviceBuffer.Of(device, s)).ToArray();
            var momenta = momentum > 0 ? starts.Select(s => DeviceBuffer.Of(device, zeros_like(s))).ToArray() : [];
            using var deviceImages = DeviceBuffer.Of(device, images);
            using var deviceLabels = DeviceBuffer.Of(device, labels);
            try
            {
                var run = new NetStepsCuda([.. buffers.Select(b => b.Array)], [.. momenta.Select(m => m.Array)], deviceImages.Array, deviceLabels.Array);
                var actual = run.Run(device, settings, batchSize, rates, new NetForm(Relu: false, TanhOutputs: true, HiddenBorder: -1));
                var worst = actual.Zip(losses, (a, b) => Math.Abs(a - b)).Max();
                var error = NetLayout.Names.Select((n, i) => Difference(buffers[i], parameters[n].detach())).Max();
                var buffer = momentum > 0 ? NetLayout.Names.Select((n, i) => Difference(momenta[i], state[$"{n}.momentum_buffer"])).Max() : 0;
                TestContext.Out.WriteLine($"losses {worst:E1}, parameters {error:E1}, momentum {buffer:E1}");
                Assert.That(worst, Is.LessThan(2.4e-7), "losses");
                Assert.That(error, Is.LessThan(2.4e-7), "parameters");
                Assert.That(buffer, Is.LessThan(2.4e-7), "momentum");
                moved = Math.Max(moved, NetLayout.Names.Select((n, i) => Difference(buffers[i], starts[i])).Max());
            }
            finally
            {
                foreach (var memory in buffers.Concat(momenta))
                    memory.Dispose();
            }
        }
        Assert.That(moved, Is.GreaterThan(1e-3), "the steps changed something");

        static float Difference(DeviceBuffer actual, Tensor expected) => (actual.ToTensor(expected.shape) - expected).abs().max().item<float>();
    }

    [TestCase("adamw", "optimizer"), TestCase("softmax", "loss")]
    public void Reject_OtherForms_SaysWhy(string preset, string reason)
    {
        IModelArchitecture architecture = new LeNetArchitecture();
        var config = (LeNetConfig)architecture.Presets[preset];
        Assert.That(NetStepsCuda.Reject(config.Training, config, new CudaEmulator()), Does.Contain(reason));
    }

    [TestCase("default", null), TestCase("adamw", "optimizer")]
    public void RejectFused_OnACard_IsTheCardsAnswer(string preset, string? reason)
    {
        EmulatedOp.Require();
        using var card = CudaEmulator.Install();
        IModelArchitecture architecture = new LeNetArchitecture();
        var config = (LeNetConfig)architecture.Presets[preset];
        using var model = (LeNetModel)architecture.CreateModel(config, new BuildContext());
        Assert.That(model.RejectFused(config.Training, new Device(DeviceType.CUDA, 0)), reason is null ? Is.Null : Does.Contain(reason));
    }

    private static OpOptions Options(bool relu, bool tanhOutputs) =>
        new(new JsonObject { ["relu"] = relu, ["tanh_outputs"] = tanhOutputs, ["hidden_border"] = relu ? 0.0 : -1.0 });

    private static NamedTensors Inputs(int batch, bool dropout)
    {
        manual_seed(batch);
        var inputs = new NamedTensors { ["x"] = rand(batch, 1, 16, 16) * 2 - 1 };
        foreach (var (name, shape) in NetLayout.Names.Zip(Shapes))
            inputs[name] = (rand(shape) * 2 - 1) * (shape.Length > 1 ? 2.4 / Math.Sqrt(shape.Length == 4 ? shape[1] * 25 : shape[0]) : 0.3);
        if (dropout)
            inputs["kept"] = rand(batch, 192).gt(0.25).to(float32) / 0.75;
        return inputs;
    }
}
