using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Kernels;
using Zoo.LeNet;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.LeNet;

public sealed class BatchNormMlpTests
{
    private static readonly IModelArchitecture Architecture = new BatchNormMlpArchitecture();

    [TestCase(false, 99_710), TestCase(true, 100_010)]   // with it: 3 × 100 biases fewer, 3 × 2 × 100 scales and offsets more
    public void Build_PapersSizes_HasThePapersParameterCount(bool batchNorm, long count)
    {
        using var model = Build(new BatchNormMlpConfig { BatchNorm = batchNorm });
        Assert.That(model.TrainableParameters().Sum(p => p.Parameter.numel()), Is.EqualTo(count));
    }

    [Test]
    public void StateDict_WithNormalisation_HiddenLayersHaveNoBias()
    {
        using var model = Build(new BatchNormMlpConfig { Hidden = [4, 3] });
        Assert.That(model.state_dict().Keys, Is.EquivalentTo((string[])
        [
            "hidden.0.weight", "hidden.1.weight", "output.weight", "output.bias",
            "norms.0.weight", "norms.0.bias", "norms.0.running_mean", "norms.0.running_var", "norms.0.num_batches_tracked",
            "norms.1.weight", "norms.1.bias", "norms.1.running_mean", "norms.1.running_var", "norms.1.num_batches_tracked",
        ]));
    }

    [Test]
    public void Logits_Training_EqualThePapersEquations([Values] bool batchNorm, [Values] BatchNormMlpActivation activation)
    {
        using var scope = NewDisposeScope();
        manual_seed(2);
        var model = Build(new BatchNormMlpConfig { BatchNorm = batchNorm, Activation = activation, Hidden = [7, 5] });
        var images = rand(6, 1, 28, 28);
        var weights = model.state_dict();
        var u = images.flatten(1);
        for (var i = 0; i < 2; i++)
        {
            u = u.mm(weights[$"hidden.{i}.weight"].t());
            if (batchNorm)
            {
                u = (u - u.mean([0])) / (u.var([0], unbiased: false) + 1e-5).sqrt();
                u = u * weights[$"norms.{i}.weight"] + weights[$"norms.{i}.bias"];
            }
            else
            {
                u += weights[$"hidden.{i}.bias"];
            }
            u = activation switch
            {
                BatchNormMlpActivation.Sigmoid => u.sigmoid(),
                BatchNormMlpActivation.Tanh => u.tanh(),
                _ => u.relu(),
            };
        }
        var expected = u.mm(weights["output.weight"].t()) + weights["output.bias"];
        Assert.That((model.Logits(images) - expected).abs().max().item<float>(), Is.LessThan(1e-5f));   // measured: 1.2e-7
    }

    [Test]
    public void Backward_AnyPreset_ReachesEveryParameter([ValueSource(nameof(Presets))] string preset)
    {
        using var scope = NewDisposeScope();
        var model = Build((BatchNormMlpConfig)Architecture.Presets[preset]);
        var batch = new ImageBatch(rand(4, 1, 28, 28), tensor([0L, 3, 9, 1]));
        Gradients.Backward(model.Run(batch).Loss);
        var untouched = model.TrainableParameters()
            .Where(p => p.Parameter.grad is not { } g || g.abs().sum().item<float>() == 0)
            .Select(p => p.Name);
        Assert.That(untouched, Is.Empty, "parameters no gradient reached");
    }

    [Test]
    public void Build_SameSeed_SameNumbers()
    {
        using var scope = NewDisposeScope();
        var images = rand(3, 1, 28, 28);
        Tensor Run()
        {
            manual_seed(11);
            return Build(new BatchNormMlpConfig()).Logits(images);
        }
        TensorAssert.Close(Run(), Run(), 0, 0, "logits");
    }

    [Test]
    public void Logits_OneExample_OnlyOutsideTraining()
    {
        using var scope = NewDisposeScope();
        var model = Build(new BatchNormMlpConfig());
        var image = rand(1, 1, 28, 28);
        Assert.That(() => model.Logits(image), Throws.TypeOf<ShapeException>().With.Message.Contains("take larger batches"));
        model.eval();
        Assert.That(model.Logits(image).isfinite().all().item<bool>(), Is.True);
    }

    [Test]
    public void ReadConfig_Unusable_NamesEveryProblem()
    {
        var values = new JsonObject
        {
            ["hidden"] = new JsonArray(0),
            ["bn_momentum"] = 2,
            ["bn_eps"] = 0,
            ["classes"] = 1,
            ["init_std"] = -1,
        };
        Assert.That(() => Architecture.ReadConfig("default", values), Throws.TypeOf<ConfigException>()
            .With.Property(nameof(ConfigException.Problems)).Count.EqualTo(5));
    }

    [Test]
    public void ImpliedBy_OtherImages_FitsTheNet()
    {
        using var scope = NewDisposeScope();
        var implied = Architecture.ImpliedBy(new TaskShape(ModelKind.ImageClassifier) { ClassCount = 4, Image = new ImageShape(3, 8, 5) });
        var model = Build((BatchNormMlpConfig)Architecture.ReadConfig("default", implied));
        Assert.That(model.Logits(rand(2, 3, 8, 5)).shape, Is.EqualTo((long[])[2, 4]));
    }

    private static IEnumerable<string> Presets => Architecture.Presets.Keys;

    private static ImageClassifier Build(BatchNormMlpConfig config) =>
        (ImageClassifier)Architecture.CreateModel(config, new BuildContext());
}
