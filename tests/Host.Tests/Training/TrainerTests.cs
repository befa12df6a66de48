using Zoo.Host.Diagnostics;
using Zoo.Host.Training;
using Zoo.Kernels;
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
        using var trainer = new Trainer(model, data, TestSettings.Complete with { Steps = 200 }, new TrainerOptions());
        var losses = Enumerable.Range(0, 200).Select(_ => Step(trainer).Loss).ToList();

        Assert.That(losses.TakeLast(20).Average(), Is.LessThan(losses.Take(20).Average() / 2));
    }

    [Test]
    public void Restore_AfterEveryKindOfStep_GoesOnBitForBit([ValueSource(nameof(Variants))] TrainingSettings settings)
    {
        using var scope = NewDisposeScope();
        using var data = new TinyData();
        using var straight = NewModel();
        using var trainer = new Trainer(straight, data, settings, new TrainerOptions());
        for (var i = 0; i < 9; i++)
            Step(trainer);
        var weights = straight.state_dict().ToDictionary(p => p.Key, p => p.Value.clone());
        var drawn = straight.Randomness.Counter;
        var state = new NamedTensors(trainer.Optimizer.State.Select(p => KeyValuePair.Create(p.Key, p.Value.clone())));
        var lossesOfStraight = Enumerable.Range(0, 11).Select(_ => Step(trainer).Loss).ToList();

        manual_seed(999);
        using var resumed = new TinyClassifier();
        using (no_grad())
        {
            foreach (var (name, tensor) in resumed.state_dict())
                tensor.copy_(weights[name]);
        }
        using var second = new Trainer(resumed, data, settings, new TrainerOptions());
        second.Restore(9, state, randomCounter: drawn);
        rand(5);   // numbers drawn in between must not matter
        var lossesOfResumed = Enumerable.Range(0, 11).Select(_ => Step(second).Loss).ToList();

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
        using var large = new Trainer(one, data, settings with { BatchSize = 8 }, new TrainerOptions());
        using var small = new Trainer(two, data, settings with { BatchSize = 2, Accumulate = 4 }, new TrainerOptions());
        for (var i = 0; i < 5; i++)
        {
            Step(large);
            Step(small);
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
            Optimizer = OptimizerKind.Sgd,
            WeightDecay = 0,
            LearningRate = 1,
            GradientClip = 0.001,
        }, new TrainerOptions());
        Step(trainer);

        Assert.That(model.Weight.norm().item<float>(), Is.EqualTo(0.001).Within(1e-5));
    }

    [Test]
    public void Step_TenThousandSteps_LiveTensorsAndMemoryStayFlat()
    {
        using var model = NewModel();
        using var data = new TinyData();
        using var trainer = new Trainer(model, data, TestSettings.Complete with { Steps = 12_000 }, new TrainerOptions());
        for (var i = 0; i < 2000; i++)
            Step(trainer);
        var (tensors, resident) = (Tensor.TotalCount, MemoryUse.Resident);
        for (var i = 0; i < 10_000; i++)
            Step(trainer);

        var grown = (MemoryUse.Resident - resident) / 1024;
        TestContext.Out.WriteLine($"live tensors {tensors} to {Tensor.TotalCount}, resident memory {grown:+#;-#;0} KB");
        Assert.That(Tensor.TotalCount, Is.LessThanOrEqualTo(tensors), "finalisers of earlier tests may lower it");
        // 16 MB are the garbage collector's own movement; one forgotten tensor a step would be 20,000 of them and more.
        Assert.That(grown, Is.LessThan(16 * 1024));
    }

    [Test]
    public void Step_NaNInTheData_StopsWithStepAndGradientAndKeepsTheModel()
    {
        using var model = new SoftmaxRegression();
        using var data = new TinyData { PoisonedExample = 20 };
        using var trainer = new Trainer(model, data, TestSettings.Complete with { Shuffle = false }, new TrainerOptions());
        Step(trainer);
        Step(trainer);
        using var weight = model.Weight.clone();

        Assert.That(() => Step(trainer), Throws.TypeOf<NonFiniteException>().With.Message.EqualTo(
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
        using var trainer = new Trainer(model, data, TestSettings.Complete with { Shuffle = false }, new TrainerOptions());

        Assert.That(() => Step(trainer), Throws.TypeOf<NonFiniteException>()
            .With.Message.StartWith("Step 1:").And.Message.Contains("first buffer 'bn.running_mean' (12 of 12 values)"));
    }

    [Test]
    public void Step_NaNParameter_IsNamedFirst()
    {
        using var model = NewModel();
        using var data = new TinyData();
        using var trainer = new Trainer(model, data, TestSettings.Complete, new TrainerOptions());
        using (no_grad())
            model.get_parameter("fc2.bias")!.fill_(float.NaN);

        Assert.That(() => Step(trainer), Throws.TypeOf<NonFiniteException>()
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
        Assert.That(Tensor.TotalCount, Is.LessThanOrEqualTo(before), "finalisers of earlier tests may lower it");
    }

    [Test]
    public void Advance_FusedModel_EqualsTheTensorPathAndReportsEveryStep()
    {
        using var scope = NewDisposeScope();
        using var data = new TinyData();
        var settings = TestSettings.Complete with
        {
            Optimizer = OptimizerKind.Sgd,
            WeightDecay = 0,
            GradientClip = 0,
            Schedule = ScheduleKind.Linear,
            Steps = 20,
        };
        using var fusedModel = new FusedSoftmaxRegression();
        using var plainModel = new FusedSoftmaxRegression();
        using var fused = new Trainer(fusedModel, data, settings, new TrainerOptions());
        using var plain = new Trainer(plainModel, data, settings, new TrainerOptions { Kernels = KernelChoice.Parse("reference") });
        var fusedReports = new List<StepReport>();
        fused.Advance(12, fusedReports);
        fused.Advance(8, fusedReports);
        var plainReports = Enumerable.Range(0, 20).Select(_ => Step(plain)).ToList();

        Assert.That((fused.FusedStepName, plain.FusedStepName), Is.EqualTo(("fused_softmax_step", (string?)null)));
        Assert.That(fusedModel.Calls, Is.EqualTo([12, 8]));
        Assert.That((fused.StepsDone, fused.Optimizer.UpdateCount), Is.EqualTo((20, 20)));
        Assert.That(fusedReports.Select(r => (r.Step, r.LearningRate, r.TokenCount)), Is.EqualTo(plainReports.Select(r => (r.Step, r.LearningRate, r.TokenCount))));
        Assert.That(fusedReports.Select(r => r.Loss), Is.EqualTo(plainReports.Select(r => r.Loss)).Within(1e-5));
        Assert.That((fusedModel.Weight - plainModel.Weight).abs().max().item<float>(), Is.LessThan(1e-6));
    }

    [Test]
    public void Constructor_FusedBackendDemandedAndRejected_GivesItsReason()
    {
        using var data = new TinyData();
        using var model = new FusedSoftmaxRegression();
        var options = new TrainerOptions { Kernels = KernelChoice.Parse("fused_softmax_step=cpu") };

        Assert.That(() => new Trainer(model, data, TestSettings.Complete, options), Throws.TypeOf<UserException>()
            .With.Message.EqualTo("--kernels fused_softmax_step=cpu: fused_softmax_step cannot run on 'cpu': it is written for plain SGD"));
    }

    private static StepReport Step(Trainer trainer)
    {
        var reports = new List<StepReport>();
        trainer.Advance(1, reports);
        return reports.Single();
    }

    private static TinyClassifier NewModel()
    {
        manual_seed(1);
        return new TinyClassifier();
    }
}
