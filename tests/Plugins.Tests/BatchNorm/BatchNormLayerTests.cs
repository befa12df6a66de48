using Zoo.Kernels;
using Zoo.LeNet;
using static TorchSharp.torch;

namespace Zoo.Tests.LeNet;

public sealed class BatchNormLayerTests
{
    private static readonly string[] BothBackends = ["reference", "cpu"];

    [Test]
    public void StateDict_Always_HasPyTorchsKeys()
    {
        using var layer = Layer(5, "auto");
        using var theirs = nn.BatchNorm1d(5);
        Assert.That(layer.state_dict().Keys, Is.EquivalentTo(theirs.state_dict().Keys));
        Assert.That(layer.named_parameters().Select(p => p.name), Is.EqualTo((string[])["weight", "bias"]));
    }

    [Test]
    public void Forward_SeveralBatchesThenEvaluation_EqualsPyTorchsModule([ValueSource(nameof(BothBackends))] string backend,
        [Values] bool images)
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        var layer = Layer(6, backend, momentum: 0.3);
        var theirs = images ? (nn.Module<Tensor, Tensor>)nn.BatchNorm2d(6, momentum: 0.3) : nn.BatchNorm1d(6, momentum: 0.3);
        Tensor Batch() => images ? randn(4, 6, 3, 5) * 3 + 1 : randn(9, 6) * 3 + 1;
        for (var i = 0; i < 5; i++)
        {
            var x = Batch();
            AssertClose(layer.forward(x), theirs.forward(x), "y in training");
        }
        foreach (var (name, buffer) in theirs.named_buffers())
            AssertClose(layer.get_buffer(name)!, buffer, name);
        Assert.That(layer.get_buffer("num_batches_tracked")!.item<long>(), Is.EqualTo(5));
        layer.eval();
        theirs.eval();
        var before = layer.get_buffer("running_mean")!.clone();
        var held = Batch();
        AssertClose(layer.forward(held), theirs.forward(held), "y in evaluation");
        TensorAssert.Close(layer.get_buffer("running_mean")!, before, 0, 0, "statistics after evaluation");
    }

    [Test]
    public void Forward_Evaluation_IsAFixedScaleAndOffset()
    {
        using var scope = NewDisposeScope();
        var layer = Layer(3, "cpu");
        layer.forward(randn(8, 3) * 2 + 1);
        layer.eval();
        var x = randn(5, 3);
        var alone = layer.forward(x.narrow(0, 2, 1));
        TensorAssert.Close(layer.forward(x).narrow(0, 2, 1), alone, 0, 0, "an example among others");
    }

    [Test]
    public void Forward_BFloat16_ReckonsInFloat32AndKeepsTheDtype()
    {
        using var scope = NewDisposeScope();
        var layer = Layer(4, "auto");
        var x = randn(16, 4);
        var y = layer.forward(x.to(ScalarType.BFloat16));
        Assert.That(y.dtype, Is.EqualTo(ScalarType.BFloat16));
        Assert.That(layer.get_buffer("running_mean")!.dtype, Is.EqualTo(ScalarType.Float32));
        using var theirs = nn.BatchNorm1d(4);
        AssertClose(y.to(ScalarType.Float32), theirs.forward(x), "y", bound: 0.02);   // bfloat16 keeps 8 bits; largest |y| about 2.5
    }

    [Test]
    public void Forward_ManySteps_NothingGrows([ValueSource(nameof(BothBackends))] string backend)
    {
        using var layer = Layer(8, backend);
        void Run(int steps)
        {
            for (var i = 0; i < steps; i++)
            {
                using var scope = NewDisposeScope();
                Gradients.Backward(layer.forward(randn(4, 8, 3, 3)).square().sum());
            }
        }
        Run(20);
        var before = Gradients.LiveTensors;
        Run(300);
        Assert.That(Gradients.LiveTensors, Is.LessThanOrEqualTo(before));   // finalisers of earlier tests may free some
    }

    private static BatchNormLayer Layer(long channels, string backend, double momentum = 0.1) =>
        new(channels, BatchNorm.DefaultEpsilon, momentum, KernelChoice.Parse(backend), CPU);

    private static void AssertClose(Tensor actual, Tensor expected, string what, double bound = 1e-5) =>
        TensorAssert.Close(actual, expected, bound, 0, what);
}
