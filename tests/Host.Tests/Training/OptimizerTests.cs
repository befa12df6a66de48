using TorchSharp.Modules;
using Zoo.Host.Training;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Training;

internal sealed class OptimizerTests
{
    /// <summary>Measured: 2.4e-7 for AdamW, whose bias corrections are ordered differently; SGD is equal.</summary>
    private const double Tolerance = 1e-6;

    [TestCase(0.0, 0.0)]
    [TestCase(0.1, 0.0)]
    [TestCase(0.0, 0.9)]
    [TestCase(0.1, 0.9)]
    public void Sgd_TwentySteps_EqualsTorch(double weightDecay, double momentum) => Compare(
        p => new SgdOptimizer([new("p", p, 1, weightDecay)], momentum),
        (p, lr) => optim.SGD([p], lr, momentum: momentum, weight_decay: weightDecay));

    [TestCase(0.0, 1e-8)]
    [TestCase(0.1, 1e-8)]
    [TestCase(0.1, 1e-2)]
    public void AdamW_TwentySteps_EqualsTorch(double weightDecay, double epsilon) => Compare(
        p => new AdamWOptimizer([new("p", p, 1, weightDecay)], 0.9, 0.95, epsilon),
        (p, lr) => optim.AdamW([p], lr, beta1: 0.9, beta2: 0.95, eps: epsilon, weight_decay: weightDecay));

    [Test]
    public void Step_LearningRateFactorAndDecayOfAGroup_AreUsed()
    {
        using var scope = NewDisposeScope();
        var fast = new Parameter(ones(2));
        var slow = new Parameter(ones(2));
        using var optimizer = new SgdOptimizer([new("fast", fast, 1, 0), new("slow", slow, 0.25, 0.5)], momentum: 0);
        (fast.sum() + slow.sum()).backward();

        optimizer.Step(0.1);

        Assert.That(fast.data<float>().ToArray(), Is.All.EqualTo(0.9f).Within(1e-7));
        Assert.That(slow.data<float>().ToArray(), Is.All.EqualTo(1 - 0.025f * 1.5f).Within(1e-7));
    }

    [Test]
    public void Create_GroupOfTheModel_GetsItsOwnDecayAndFactor()
    {
        using var model = new TinyClassifier();
        using var optimizer = Optimizer.Create(model, TestSettings.Complete, KernelChoice.Auto);

        Assert.That(optimizer.State.Keys, Has.Count.EqualTo(12).And.Contains("bn.weight.exp_avg_sq"));
    }

    [Test]
    public void Step_ParameterWithoutGradient_StaysAsItIs()
    {
        using var scope = NewDisposeScope();
        var used = new Parameter(ones(2));
        var unused = new Parameter(ones(2));
        using var optimizer = new AdamWOptimizer([new("used", used, 1, 0.1), new("unused", unused, 1, 0.1)], 0.9, 0.99, 1e-8);
        used.sum().backward();

        optimizer.Step(0.1);

        Assert.That(unused.data<float>().ToArray(), Is.All.EqualTo(1f));
        Assert.That(used.data<float>().ToArray(), Is.All.Not.EqualTo(1f));
    }

    [Test]
    public void Step_Bound_ClipsTheUpdateAndLeavesTheGradient()
    {
        using var scope = NewDisposeScope();
        var parameter = new Parameter(zeros(2, 8));
        using var optimizer = new SgdOptimizer([new("p", parameter, 1, 0)], momentum: 0);
        parameter.sum().backward();

        Assert.That(optimizer.Step(1, largestNorm: 2), Is.EqualTo(4).Within(1e-6));
        Assert.That(parameter.data<float>().ToArray(), Is.All.EqualTo(-0.5f).Within(1e-6));
        Assert.That(parameter.grad!.data<float>().ToArray(), Is.All.EqualTo(1f));
    }

    [Test]
    public void Step_NormNotFinite_UpdatesAndCountsNothing()
    {
        using var scope = NewDisposeScope();
        var parameter = new Parameter(ones(8));
        using var optimizer = new AdamWOptimizer([new("p", parameter, 1, 0.1)], 0.9, 0.99, 1e-8);
        (parameter * float.NaN).sum().backward();

        Assert.That(optimizer.Step(1, largestNorm: 2), Is.NaN);
        Assert.That(optimizer.UpdateCount, Is.Zero);
        Assert.That(parameter.data<float>().ToArray(), Is.All.EqualTo(1f));
    }

    [TestCase("cpu"), TestCase("reference"), TestCase("adamw=reference")]
    public void Step_BackendChosen_IsTheOneThatRuns(string kernels)
    {
        using var scope = NewDisposeScope();
        var parameter = new Parameter(ones(8));
        using var optimizer = new AdamWOptimizer([new("p", parameter, 1, 0.1)], 0.9, 0.99, 1e-8) { Kernels = KernelChoice.Parse(kernels) };
        parameter.sum().backward();
        OpUsage.Reset();
        optimizer.Step(1);

        Assert.That(OpUsage.Backends["adamw"], Is.EqualTo(kernels.Split('=')[^1]));
    }

    [Test]
    public void Restore_StateOfAnotherOptimizer_NamesTheDifference()
    {
        using var scope = NewDisposeScope();
        var parameter = new Parameter(ones(2));
        using var adam = new AdamWOptimizer([new("p", parameter, 1, 0)], 0.9, 0.99, 1e-8);
        using var sgd = new SgdOptimizer([new("p", parameter, 1, 0)], 0.9);

        Assert.That(() => sgd.Restore(adam.State, 3), Throws.TypeOf<UserException>().With.Message.Contains("no 'p.momentum_buffer'"));
        Assert.That(() => adam.Restore(sgd.State, 3), Throws.TypeOf<UserException>().With.Message.Contains("'p.exp_avg'"));
        Assert.That(() => adam.Restore(new NamedTensors { ["p.exp_avg"] = ones(3), ["p.exp_avg_sq"] = ones(2) }, 3),
            Throws.TypeOf<UserException>().With.Message.Contains("[3]").And.Message.Contains("[2]"));
    }

    private static void Compare(Func<Parameter, Zoo.Host.Training.Optimizer> ours, Func<Parameter, double, optim.Optimizer> theirs)
    {
        using var scope = NewDisposeScope();
        const double rate = 0.05;
        manual_seed(3);
        var start = randn(5, 7);
        var target = randn(5, 7);
        var a = new Parameter(start.clone());
        var b = new Parameter(start.clone());
        using var mine = ours(a);
        using var torchs = theirs(b, rate);
        for (var step = 0; step < 20; step++)
        {
            ((a - target) * (step + 1)).square().mean().backward();
            ((b - target) * (step + 1)).square().mean().backward();
            mine.Step(rate);
            mine.ClearGradients();
            torchs.step();
            torchs.zero_grad();
        }
        Assert.That((a - b).abs().max().item<float>(), Is.LessThan(Tolerance));
        Assert.That((a - start).abs().max().item<float>(), Is.GreaterThan(0.1), "the parameters moved");
    }
}
