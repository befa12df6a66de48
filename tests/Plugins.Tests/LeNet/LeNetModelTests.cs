using TorchSharp;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.LeNet;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.LeNet;

[TestFixture]
public sealed class LeNetModelTests
{
    private static readonly string[] Keys = ["H1b", "H1w", "H2b", "H2w", "H3b", "H3w", "outb", "outw"];

    private DisposeScope _scope = null!;

    [SetUp]
    public void OpenScope() => _scope = NewDisposeScope();

    [TearDown]
    public void CloseScope() => _scope.Dispose();

    [Test]
    public void RunCase_RecordedCase_OutputsAndGradientsMatch(
        [Values("lenet1989-init", "lenet1989-modern-init")] string name, [Values] bool together, [Values("reference", "cpu")] string kernels)
    {
        // One by one as well as together: tensor code has a form of the shared weights for each.
        using var golden = GoldenCase.Open("LeNet", name);
        var architecture = new LeNetArchitecture();
        var info = architecture.Info;
        var preset = golden.Name == info.Name ? info.DefaultPreset : info.Aliases.Single(a => a.Name == golden.Name).Preset;
        using var model = Build((LeNetConfig)architecture.ReadUpstreamConfig(preset, golden.Config), kernels: kernels);
        Load(model, golden.With("param."));
        model.eval();

        var x = golden.With("in.")["x"].clone().requires_grad_();
        var y = golden.With("in.")["y"];
        var outputs = together ? model.RunCase(new NamedTensors { ["x"] = x, ["y"] = y }) : OneByOne(model, x, y);
        golden.With("probe.").Select(p => (outputs[p.Key] * p.Value).sum()).Aggregate((a, b) => a + b).backward();

        Assert.That(outputs.Keys, Is.EquivalentTo(golden.With("out.").Keys));
        foreach (var (key, expected) in golden.With("out."))
            Check(outputs[key], expected, key);
        Check(x.grad!, golden.With("grad.in.")["x"], "gradient of x");
        var gradients = golden.With("grad.param.");
        Assert.That(gradients.Keys, Is.EquivalentTo(Keys));
        foreach (var (key, parameter) in model.TrainableParameters())
            Check(parameter.grad!, gradients[key], $"gradient of {key}");

        void Check(Tensor actual, Tensor expected, string what) =>
            TensorAssert.Close(actual, expected, golden.AbsoluteTolerance, golden.RelativeTolerance, what);
    }

    [Test]
    public void RunCase_TargetsOfSeveralClasses_TakesTheErrorToThoseTargets()
    {
        using var model = Build(new LeNetConfig());
        model.eval();
        manual_seed(3);
        var y = randint(2, [4, 10]).to(ScalarType.Float32) * 2 - 1;
        var outputs = model.RunCase(new NamedTensors { ["x"] = rand(4, 1, 16, 16), ["y"] = y });
        var (logits, targets) = (outputs["logits"].data<float>().ToArray(), y.data<float>().ToArray());
        var expected = logits.Zip(targets, (a, b) => ((double)a - b) * ((double)a - b)).Average();
        Assert.That(outputs["loss"].item<float>(), Is.EqualTo(expected).Within(1e-6));
    }

    [TestCaseSource(nameof(PresetNames))]
    public void Counts_AnyPreset_AreThePapers(string preset)
    {
        using var model = Build((LeNetConfig)new LeNetArchitecture().Presets[preset]);
        Assert.That(model.ParameterCount, Is.EqualTo(9_760));
        Assert.That(model.WeightMacCount, Is.EqualTo(63_660));
    }

    [Test]
    public void StateDict_Keys_AreTheReproductions()
    {
        using var model = Build(new LeNetConfig());
        var shapes = model.state_dict().ToDictionary(s => s.Key, s => Shape.Describe(s.Value.shape));
        Assert.That(shapes, Is.EquivalentTo(new Dictionary<string, string>
        {
            ["H1w"] = "[12, 1, 5, 5]",
            ["H1b"] = "[12, 8, 8]",
            ["H2w"] = "[12, 8, 5, 5]",
            ["H2b"] = "[12, 4, 4]",
            ["H3w"] = "[192, 30]",
            ["H3b"] = "[30]",
            ["outw"] = "[30, 10]",
            ["outb"] = "[10]",
        }));
    }

    [TestCase("H1w", 25)]
    [TestCase("H2w", 200)]
    [TestCase("H3w", 192)]
    [TestCase("outw", 30)]
    public void Weights_Start_UniformWithinTheBoundOfTheirFanIn(string key, int fanIn)
    {
        using var model = Build(new LeNetConfig());
        var weights = model.get_parameter(key)!.detach();
        var bound = 2.4 / Math.Sqrt(fanIn);
        Assert.That(weights.abs().max().item<float>(), Is.LessThanOrEqualTo(bound).And.GreaterThan(0.97 * bound));
        // Uniform within ±b has the deviation b / sqrt(3); that of 300 weights strays by some 3 %.
        Assert.That(weights.std().item<float>(), Is.EqualTo(bound / Math.Sqrt(3)).Within(10).Percent);
        Assert.That(weights.mean().item<float>(), Is.EqualTo(0).Within(4 * bound / Math.Sqrt(3 * weights.numel())));
    }

    [TestCase(LeNetLoss.Mse, -1)]
    [TestCase(LeNetLoss.CrossEntropy, 0)]
    public void Biases_Start_AtZeroAndTheOutputsAsTheLossWants(LeNetLoss loss, float output)
    {
        using var model = Build(new LeNetConfig { Loss = loss });
        foreach (var key in new[] { "H1b", "H2b", "H3b" })
            Assert.That(model.get_parameter(key)!.data<float>().ToArray(), Is.All.EqualTo(0f), key);
        Assert.That(model.get_parameter("outb")!.data<float>().ToArray(), Is.All.EqualTo(output));
    }

    [Test]
    public void Build_Seed_DecidesTheWeights()
    {
        using var first = Build(new LeNetConfig(), seed: 3);
        using var again = Build(new LeNetConfig(), seed: 3);
        using var other = Build(new LeNetConfig(), seed: 4);
        foreach (var key in Keys.Where(k => k.EndsWith('w')))
        {
            Assert.That(Same(first.get_parameter(key)!, again.get_parameter(key)!), Is.True, key);
            Assert.That(Same(first.get_parameter(key)!, other.get_parameter(key)!), Is.False, key);
        }
    }

    [Test]
    public void Backward_EverySwitch_AloneAndTogetherReachesEveryParameter(
        [Values] LeNetLoss loss, [Values] bool shift, [Values(0, 0.25)] double dropout, [Values] LeNetActivation activation,
        [Values] bool faithful)
    {
        var config = new LeNetConfig { Loss = loss, Shift = shift, Dropout = dropout, Activation = activation, Faithful = faithful };
        using var model = Build(config);
        model.train();
        using var batch = new ImageBatch(Images(8), arange(8, ScalarType.Int64));
        var output = model.Run(batch);
        output.Loss.backward();
        Assert.That(output.Outputs.shape, Is.EqualTo(new long[] { 8, 10 }));
        Assert.That(output.Loss.shape, Is.Empty);
        Assert.That(output.Loss.item<float>(), Is.GreaterThan(0).And.LessThan(float.PositiveInfinity));
        foreach (var (key, parameter) in model.TrainableParameters())
            Assert.That(parameter.grad?.abs().sum().item<float>(), Is.GreaterThan(0).And.LessThan(float.PositiveInfinity), key);
    }

    [Test]
    public void Logits_OneImageOrMany_AreEqual(
        [Values] bool faithful, [Values] LeNetActivation activation, [Values("reference", "cpu")] string kernels)
    {
        var config = new LeNetConfig { Faithful = faithful, Activation = activation, Loss = LeNetLoss.CrossEntropy };
        using var model = Build(config, kernels: kernels);
        var images = Images(7);
        var one = cat(images.split(1).Select(model.Logits).ToArray());
        TensorAssert.Close(one, model.Logits(images), 1e-5, 0, "scores");   // 1.4e-6 measured on scores of up to 5
    }

    [Test]
    public void Logits_EachPlaneOfH2_SeesItsEightPlanesOfH1()
    {
        // One H2 plane has weights for one of its eight inputs and no other does: only the H1 plane that this input is may matter.
        int[][] seen = [[0, 1, 2, 3, 4, 5, 6, 7], [4, 5, 6, 7, 8, 9, 10, 11], [0, 1, 2, 3, 8, 9, 10, 11]];
        using var model = Build(new LeNetConfig());
        using var quiet = no_grad();
        var image = Images(1);
        var weights = model.get_parameter("H2w")!;
        var biases = model.get_parameter("H1b")!;
        for (var plane = 0; plane < 12; plane++)
        {
            for (var input = 0; input < 8; input++)
            {
                using var scope = NewDisposeScope();
                weights.zero_();
                weights[plane, input].fill_(0.1);
                var before = model.Logits(image);
                var matters = Enumerable.Range(0, 12).Where(h1Plane =>
                {
                    biases[h1Plane].fill_(0.5);
                    var after = model.Logits(image);
                    biases[h1Plane].fill_(0);
                    return !Same(before, after);
                });
                Assert.That(matters, Is.EqualTo(new[] { seen[plane / 4][input] }), $"H2 plane {plane}, input {input}");
            }
        }
    }

    [Test]
    public void Logits_ReluUnlessFaithful_HasABorderOfNothing([Values] bool faithful)
    {
        // H1 gives 0 everywhere, so that all H2 can see is the border.
        using var model = Build(LeNetConfig.Modern with { Faithful = faithful });
        model.eval();
        using (no_grad())
            model.get_parameter("H1w")!.zero_();
        var seesIt = model.Logits(full(1, 1, 16, 16, -1f)).abs().max().item<float>() > 0;
        Assert.That(seesIt, Is.EqualTo(faithful));
    }

    [Test]
    public void Loss_Mse_IsTheMeanOverBatchAndOutputs()
    {
        using var model = Build(new LeNetConfig());
        var logits = rand(3, 10) * 2 - 1;
        long[] labels = [4, 0, 9];
        var expected = 0.0;
        for (var i = 0; i < 3; i++)
        {
            for (var c = 0; c < 10; c++)
                expected += Math.Pow(logits[i, c].item<float>() - (c == labels[i] ? 1 : -1), 2) / 30;
        }
        Assert.That(model.Loss(logits, tensor(labels)).item<float>(), Is.EqualTo(expected).Within(1e-6));
    }

    [Test]
    public void Wrapped_Moved_ComesInAtTheOtherSide([Values(-1, 0, 1)] int down, [Values(-1, 0, 1)] int right)
    {
        var moved = LeNetModel.Wrapped(Numbered(), down, right);
        for (var row = 0; row < 16; row++)
        {
            for (var column = 0; column < 16; column++)
                Assert.That(moved[0, 0, row, column].item<float>(), Is.EqualTo((row - down + 16) % 16 * 16 + (column - right + 16) % 16));
        }
    }

    [Test]
    public void Filled_Moved_BringsEmptyPaper([Values(-1, 0, 1)] int down, [Values(-1, 0, 1)] int right)
    {
        var moved = LeNetModel.Filled(Numbered(), down, right);
        Assert.That(moved.shape, Is.EqualTo(new long[] { 1, 1, 16, 16 }));
        for (var row = 0; row < 16; row++)
        {
            for (var column = 0; column < 16; column++)
            {
                var (y, x) = (row - down, column - right);
                var expected = y is >= 0 and < 16 && x is >= 0 and < 16 ? y * 16 + x : -1;
                Assert.That(moved[0, 0, row, column].item<float>(), Is.EqualTo(expected), $"row {row}, column {column}");
            }
        }
    }

    [Test]
    public void Shift_Training_DrawsEveryMoveOnceABatch([Values] bool faithful)
    {
        using var still = Build(new LeNetConfig());
        using var model = Build(new LeNetConfig { Shift = true, Faithful = faithful });
        var image = Images(1);
        var expected = (from down in Enumerable.Range(-1, 3)
                        from right in Enumerable.Range(-1, 3)
                        let moved = faithful ? LeNetModel.Wrapped(image, down, right) : LeNetModel.Filled(image, down, right)
                        select still.Logits(moved)).ToList();
        model.train();
        var drawn = new int[9];
        for (var i = 0; i < 450; i++)
        {
            using var scope = NewDisposeScope();
            var scores = model.Logits(image.expand(2, 1, 16, 16));
            var move = expected.FindIndex(e => (e - scores[0]).abs().max().item<float>() < 1e-5);
            Assert.That(move, Is.GreaterThanOrEqualTo(0), "no move of the image gives these scores");
            TensorAssert.Close(scores[1], scores[0], 1e-6, 0, "scores of the batch's two images");
            drawn[move]++;
        }
        Assert.That(drawn, Is.All.InRange(25, 75), "50 draws of each move expected, with a deviation of 7");
    }

    [Test]
    public void Training_RandomDraws_FollowTheModelsSequence()
    {
        using var model = Build(LeNetConfig.Modern);
        model.train();
        model.Randomness = new CounterRandom(7);
        var images = Images(4);
        var first = model.Logits(images);
        var counter = model.Randomness.Counter;
        var second = model.Logits(images);
        Assert.That(counter, Is.EqualTo(2 + 4 * 192), "two draws for the move and one for each unit of H2");
        Assert.That(Same(first, second), Is.False);
        model.Randomness = new CounterRandom(7) { Counter = counter };
        Assert.That(Same(model.Logits(images), second), Is.True);
    }

    [Test]
    public void Evaluation_EverySwitch_DrawsNothing()
    {
        using var model = Build(LeNetConfig.Modern);
        model.eval();
        var images = Images(4);
        Assert.That(Same(model.Logits(images), model.Logits(images)), Is.True);
        Assert.That(model.Randomness.Counter, Is.Zero);
    }

    [Test]
    public void Dropout_Training_DropsItsShareAndKeepsTheMean()
    {
        // H2's units are all 1 and what follows is their mean: units kept / (1 - p) / 192.
        using var model = Build(new LeNetConfig { Loss = LeNetLoss.CrossEntropy, Activation = LeNetActivation.Relu, Dropout = 0.25 });
        using (no_grad())
        {
            model.get_parameter("H2w")!.zero_();
            model.get_parameter("H2b")!.fill_(1);
            model.get_parameter("H3w")!.fill_(1.0 / 192);
            model.get_parameter("outw")!.fill_(1.0 / 30);
        }
        var images = zeros(500, 1, 16, 16);
        model.train();
        var means = model.Logits(images).detach()[.., 0];
        Assert.That(means.mean().item<float>(), Is.EqualTo(1).Within(0.01), "500 x 192 draws: deviation 0.0019");
        Assert.That(means.std().item<float>(), Is.EqualTo(Math.Sqrt(0.25 / 0.75 / 192)).Within(20).Percent);
        model.eval();
        Assert.That(model.Logits(images)[0, 0].item<float>(), Is.EqualTo(1).Within(1e-5));
    }

    [Test]
    public void Logits_OtherShape_IsRefused()
    {
        using var model = Build(new LeNetConfig());
        Assert.That(() => model.Logits(zeros(1, 1, 28, 28)), Throws.TypeOf<ShapeException>().With.Message.Contains("[1, 1, 28, 28]"));
    }

    [TestCase(1)]
    [TestCase(3)]
    public void Logits_LowPrecision_GivesFloat32Scores(int count)
    {
        using var model = Build(new LeNetConfig());
        var images = Images(count);
        var expected = model.Logits(images);
        model.to(ScalarType.BFloat16);
        var actual = model.Logits(images);
        Assert.That(actual.dtype, Is.EqualTo(ScalarType.Float32));
        TensorAssert.Close(actual, expected, 0.1, 0, "scores");   // 8 bits of mantissa through four layers
        Assert.That(model.Loss(actual, zeros(count, dtype: ScalarType.Int64)).dtype, Is.EqualTo(ScalarType.Float32));
    }

    [Test]
    public void Logits_Many_FreesWhatItMade()
    {
        using var model = Build(LeNetConfig.Modern);
        using var batch = new ImageBatch(Images(1), zeros(1, dtype: ScalarType.Int64));
        model.train();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var i = 0; i < 20; i++)
        {
            var output = model.Run(batch);
            output.Loss.Dispose();
            output.Outputs.Dispose();
        }
        Assert.That(DisposeScopeManager.Statistics.ThreadTotalLiveCount, Is.EqualTo(before));
    }

    private static IEnumerable<string> PresetNames => new LeNetArchitecture().Presets.Keys;

    private static LeNetModel Build(LeNetConfig config, int seed = 1, string kernels = "auto")
    {
        manual_seed(seed);
        return new LeNetModel(config, new BuildContext { Kernels = KernelChoice.Parse(kernels) });
    }

    private static Tensor Images(int count) => rand(count, 1, 16, 16) * 2 - 1;

    private static Tensor Numbered() => arange(256, ScalarType.Float32).view(1, 1, 16, 16);

    private static bool Same(Tensor a, Tensor b) => a.eq(b).all().item<bool>();

    private static void Load(LeNetModel model, NamedTensors parameters)
    {
        Assert.That(parameters.Keys, Is.EquivalentTo(Keys));
        using var quiet = no_grad();
        foreach (var (key, values) in parameters)
            model.get_parameter(key)!.copy_(values);
    }

    private static NamedTensors OneByOne(LeNetModel model, Tensor x, Tensor y)
    {
        var outputs = x.split(1).Zip(y.split(1))
            .Select(pair => model.RunCase(new NamedTensors { ["x"] = pair.First, ["y"] = pair.Second }))
            .ToList();
        return new NamedTensors
        {
            ["logits"] = cat(outputs.Select(o => o["logits"]).ToArray()),
            ["loss"] = cat(outputs.Select(o => o["loss"]).ToArray()).mean([0], keepdim: true),
        };
    }
}
