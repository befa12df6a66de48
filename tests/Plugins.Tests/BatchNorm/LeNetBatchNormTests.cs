using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.LeNet;
using Zoo.LeNet.Ops.Net;
using Zoo.Tasks;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Tests.LeNet;

/// <summary>The config key `batch_norm` of the net of 1989.</summary>
public sealed class LeNetBatchNormTests
{
    [Test]
    public void StateDict_WithNormalisation_KeepsTheOldNamesAndAddsThree()
    {
        using var plain = Build(new LeNetConfig());
        using var model = Build(new LeNetConfig { BatchNorm = true });
        var added = model.state_dict().Keys.Except(plain.state_dict().Keys).ToList();
        Assert.That(plain.state_dict().Keys.Except(model.state_dict().Keys), Is.Empty);
        Assert.That(added, Is.EquivalentTo(
            from layer in new[] { "H1n", "H2n", "H3n" }
            from name in new[] { "weight", "bias", "running_mean", "running_var", "num_batches_tracked" }
            select $"{layer}.{name}"));
        Assert.That(added.Where(model.IsFloat32Island), Is.EquivalentTo(added));
    }

    [Test]
    public void Logits_Training_NormaliseEachLayersSumsBeforeItsNonlinearity([Values] bool relu)
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        var model = Build(new LeNetConfig { BatchNorm = true, Activation = relu ? LeNetActivation.Relu : LeNetActivation.Tanh });
        foreach (var (name, parameter) in model.named_parameters().Where(p => p.name.Contains("n.")))
        {
            using var noGrad = no_grad();
            parameter.copy_(randn_like(parameter));
        }
        var images = rand(5, 1, 16, 16) * 2 - 1;
        var weights = new NamedTensors(model.state_dict().Select(p => KeyValuePair.Create(p.Key, p.Value))) { ["x"] = images };

        var expected = NetReference.Forward(weights, new NetForm(relu, TanhOutputs: true, HiddenBorder: -1), [.. Layers.Select(Libtorch)]);
        TensorAssert.Close(model.Logits(images), expected, 1e-5, 0, "logits");   // measured: 4.8e-7
        var plain = NetReference.Forward(weights, new NetForm(relu, TanhOutputs: true, HiddenBorder: -1));
        Assert.That((plain - expected).abs().max().item<float>(), Is.GreaterThan(0.01f), "normalisation changed nothing");

        Func<Tensor, Tensor> Libtorch(string layer) => sums =>
            nn.functional.batch_norm(sums, null!, null!, weights[$"{layer}.weight"], weights[$"{layer}.bias"], training: true);
    }

    [Test]
    public void Backward_WithNormalisation_ReachesEveryParameterAndLeavesH3bAlone()
    {
        using var scope = NewDisposeScope();
        var model = Build(new LeNetConfig { BatchNorm = true });
        var batch = new ImageBatch(rand(4, 1, 16, 16), tensor([0L, 3, 9, 1]));
        Gradients.Backward(model.Run(batch).Loss);
        Assert.That(model.TrainableParameters().Where(p => p.Parameter.grad is not { } g || g.abs().sum().item<float>() == 0), Is.Empty);
        Assert.That(model.TrainableParameters().Select(p => p.Name), Has.No.Member("H3b").And.Member("H3n.bias"));
    }

    [Test]
    public void Logits_OneImage_OnlyOutsideTraining()
    {
        using var scope = NewDisposeScope();
        var model = Build(new LeNetConfig { BatchNorm = true });
        Assert.That(() => model.Logits(rand(1, 1, 16, 16)), Throws.TypeOf<ShapeException>().With.Message.Contains("take larger batches"));
        model.eval();
        Assert.That(model.Logits(rand(1, 1, 16, 16)).isfinite().all().item<bool>(), Is.True);
    }

    [Test]
    public void RejectFused_WithNormalisation_SaysWhy()
    {
        using var model = Build(new LeNetConfig { BatchNorm = true });
        Assert.That(((IFusedTraining)model).RejectFused(new TrainingSettings(), CPU),
            Is.EqualTo("it has no batch normalisation, and batch_norm is true"));
        using var plain = Build(new LeNetConfig());
        Assert.That(((IFusedTraining)plain).RejectFused(new TrainingSettings(), CPU), Is.Null);
    }

    [TestCase(false, 1, 0.03), TestCase(true, 32, 0.96)]
    public void Training_FollowsTheSwitch(bool batchNorm, int batch, double rate)
    {
        var training = new LeNetConfig { BatchNorm = batchNorm }.Training;
        Assert.That((training.BatchSize, training.LearningRate, training.Shuffle), Is.EqualTo((batch, rate, batchNorm)));
    }

    private static readonly string[] Layers = ["H1n", "H2n", "H3n"];

    private static LeNetModel Build(LeNetConfig config) => new(config, new BuildContext());
}
