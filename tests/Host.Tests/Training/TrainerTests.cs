using TorchSharp;
using Zoo.Host.Training;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Tests.Training;

internal sealed class TrainerTests
{
    private static readonly TrainingSettings[] Variants =
    [
        TestSettings.Complete,
        TestSettings.Complete with { Optimizer = OptimizerKind.Sgd, Momentum = 0.9, GradientClip = 0, Schedule = ScheduleKind.Cosine },
        TestSettings.Complete with { Accumulate = 3, BatchSize = 7, WarmupSteps = 5, Schedule = ScheduleKind.Linear },
    ];

    [Test]
    public void Step_ManySteps_LossFalls()
    {
        using var model = NewModel();
        using var data = new TinyData();
        using var trainer = new Trainer(model, data, TestSettings.Complete with { Steps = 200 }, 1, CPU);
        var losses = Enumerable.Range(0, 200).Select(_ => trainer.Step().Loss).ToList();

        Assert.That(losses.TakeLast(20).Average(), Is.LessThan(losses.Take(20).Average() / 2));
    }

    [Test]
    public void Restore_AfterEveryKindOfStep_GoesOnBitForBit([ValueSource(nameof(Variants))] TrainingSettings settings)
    {
        using var scope = NewDisposeScope();
        using var data = new TinyData();
        using var straight = NewModel();
        using var trainer = new Trainer(straight, data, settings, 1, CPU);
        for (var i = 0; i < 9; i++)
            trainer.Step();
        var weights = straight.state_dict().ToDictionary(p => p.Key, p => p.Value.clone());
        var state = new NamedTensors(trainer.Optimizer.State().Select(p => KeyValuePair.Create(p.Key, p.Value.clone())));
        var lossesOfStraight = Enumerable.Range(0, 11).Select(_ => trainer.Step().Loss).ToList();

        manual_seed(999);
        using var resumed = new TinyClassifier();
        using (no_grad())
        {
            foreach (var (name, tensor) in resumed.state_dict())
                tensor.copy_(weights[name]);
        }
        using var second = new Trainer(resumed, data, settings, 1, CPU);
        second.Restore(9, state);
        rand(5);   // numbers drawn in between must not matter
        var lossesOfResumed = Enumerable.Range(0, 11).Select(_ => second.Step().Loss).ToList();

        Assert.That(lossesOfResumed, Is.EqualTo(lossesOfStraight));
        foreach (var (name, tensor) in resumed.state_dict())
            Assert.That(tensor.equal(straight.state_dict()[name]).all().item<bool>(), Is.True, name);
    }

    [Test]
    public void Step_Accumulation_EqualsOneLargeBatch()
    {
        using var data = new TinyData();
        var settings = TestSettings.Complete with { Optimizer = OptimizerKind.Sgd, GradientClip = 0, Shuffle = false };
        using var scope = NewDisposeScope();
        using var one = new SoftmaxRegression();
        using var two = new SoftmaxRegression();
        using var large = new Trainer(one, data, settings with { BatchSize = 8 }, 1, CPU);
        using var small = new Trainer(two, data, settings with { BatchSize = 2, Accumulate = 4 }, 1, CPU);
        for (var i = 0; i < 5; i++)
        {
            large.Step();
            small.Step();
        }

        Assert.That((one.Weight - two.Weight).abs().max().item<float>(), Is.LessThan(1e-6));
        Assert.That(one.Weight.abs().max().item<float>(), Is.GreaterThan(0.01));
    }

    [Test]
    public void Step_Clip_BoundsTheUpdate()
    {
        using var data = new TinyData();
        using var scope = NewDisposeScope();
        using var model = new SoftmaxRegression();
        using var trainer = new Trainer(model, data, TestSettings.Complete with
        {
            Optimizer = OptimizerKind.Sgd, WeightDecay = 0, LearningRate = 1, GradientClip = 0.001,
        }, 1, CPU);
        trainer.Step();

        Assert.That(model.Weight.norm().item<float>(), Is.EqualTo(0.001).Within(1e-5));
    }

    [Test]
    public void Step_ThousandSteps_LiveTensorsStayFlat()
    {
        using var model = NewModel();
        using var data = new TinyData();
        using var trainer = new Trainer(model, data, TestSettings.Complete with { Steps = 1000 }, 1, CPU);
        for (var i = 0; i < 10; i++)
            trainer.Step();
        var before = Tensor.TotalCount;
        for (var i = 0; i < 990; i++)
            trainer.Step();

        Assert.That(Tensor.TotalCount, Is.EqualTo(before));
    }

    [Test]
    public void Step_NaNInTheData_StopsWithStepAndGradientAndKeepsTheModel()
    {
        using var model = new SoftmaxRegression();
        using var data = new TinyData { PoisonedExample = 20 };
        using var trainer = new Trainer(model, data, TestSettings.Complete with { Shuffle = false }, 1, CPU);
        trainer.Step();
        trainer.Step();
        using var weight = model.Weight.clone();

        Assert.That(() => trainer.Step(), Throws.TypeOf<NonFiniteException>().With.Message.EqualTo(
            "Step 3: the loss is not a number (NaN); of the model's tensors, first gradient of 'weight' (48 of 48 values)."));
        Assert.That(trainer.StepsDone, Is.EqualTo(2));
        Assert.That(model.Weight.equal(weight).all().item<bool>(), Is.True);
        Assert.That(model.Weight.grad, Is.Null);
    }

    [Test]
    public void Step_NaNReachesABuffer_NamesIt()
    {
        using var model = NewModel();
        using var data = new TinyData { PoisonedExample = 0 };
        using var trainer = new Trainer(model, data, TestSettings.Complete with { Shuffle = false }, 1, CPU);

        Assert.That(() => trainer.Step(), Throws.TypeOf<NonFiniteException>()
            .With.Message.StartWith("Step 1:").And.Message.Contains("first buffer 'bn.running_mean' (12 of 12 values)"));
    }

    [Test]
    public void Step_NaNParameter_IsNamedFirst()
    {
        using var model = NewModel();
        using var data = new TinyData();
        using var trainer = new Trainer(model, data, TestSettings.Complete, 1, CPU);
        using (no_grad())
            model.get_parameter("fc2.bias")!.fill_(float.NaN);

        Assert.That(() => trainer.Step(), Throws.TypeOf<NonFiniteException>()
            .With.Message.EqualTo("Step 1: the loss is not a number (NaN); of the model's tensors, first parameter 'fc2.bias' (3 of 3 values)."));
        Assert.That(trainer.RequireFiniteModel, Throws.TypeOf<NonFiniteException>().With.Message.Contains("'fc2.bias'"));
    }

    [Test]
    public void Run_Evaluator_ScoresEverySetAndRestoresTheMode()
    {
        using var model = NewModel();
        using var data = new TinyData();
        model.train();
        var before = Tensor.TotalCount;
        var metrics = new Evaluator(model, data, CPU).Run(data.HeldOut);

        Assert.That(metrics.Select(m => m.Name), Is.EqualTo(
            ["test_error_percent", "test_misses", "test_loss", "late_error_percent", "late_misses", "late_loss"]));
        Assert.That(metrics.Select(m => m.Count), Is.EqualTo([30, 30, 30, 10, 10, 10]));
        Assert.That(new Evaluator(model, data, CPU).Run(data.HeldOut), Is.EqualTo(metrics), "no dropout in evaluation mode");
        Assert.That(model.training, Is.True);
        Assert.That(Tensor.TotalCount, Is.EqualTo(before));
    }

    private static TinyClassifier NewModel()
    {
        manual_seed(1);
        return new TinyClassifier();
    }
}
