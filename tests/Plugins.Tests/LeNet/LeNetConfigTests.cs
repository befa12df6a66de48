using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.LeNet;
using Zoo.Training;

namespace Zoo.Tests.LeNet;

[TestFixture]
public sealed class LeNetConfigTests
{
    private readonly LeNetArchitecture _architecture = new();

    [TestCase("default", OptimizerKind.Sgd, 0.03, ScheduleKind.Constant, 0, 23)]
    [TestCase("softmax", OptimizerKind.Sgd, 0.01, ScheduleKind.Constant, 0, 23)]
    [TestCase("adamw", OptimizerKind.AdamW, 3e-4, ScheduleKind.Linear, 0.01, 46)]
    [TestCase("shift", OptimizerKind.AdamW, 3e-4, ScheduleKind.Linear, 0.01, 60)]
    [TestCase("dropout-relu", OptimizerKind.AdamW, 3e-4, ScheduleKind.Linear, 0.01, 80)]
    [TestCase("modern", OptimizerKind.AdamW, 3e-4, ScheduleKind.Linear, 0.01, 80)]
    public void Training_EachPreset_IsTheLadders(
        string preset, OptimizerKind optimizer, double rate, ScheduleKind schedule, double decay, int passes)
    {
        var training = _architecture.Presets[preset].Training;
        Assert.That(training.Problems(), Is.Empty);
        Assert.That((training.Optimizer, training.LearningRate, training.Schedule, training.WeightDecay, training.Passes, training.Steps),
            Is.EqualTo((optimizer, rate, schedule, decay, (double)passes, (long?)null)));
        Assert.That((training.BatchSize, training.Shuffle), Is.EqualTo((1, false)));
        if (schedule == ScheduleKind.Linear)
            Assert.That(training.FinalLearningRateFactor * rate, Is.EqualTo(1e-4).Within(1e-12));
    }

    [Test]
    public void Presets_All_AreTheLadder()
    {
        Assert.That(_architecture.Presets.Keys, Is.EqualTo(new[] { "default", "softmax", "adamw", "shift", "dropout-relu", "modern" }));
        Assert.That(_architecture.Presets.Values.Distinct().Count(), Is.EqualTo(5), "modern is the last step");
        Assert.That(_architecture.Presets[_architecture.Info.DefaultPreset], Is.EqualTo(new LeNetConfig()));
        Assert.That(_architecture.Info.Aliases, Is.EqualTo(new[] { new ArchitectureAlias("lenet1989-modern", "modern") }));
    }

    [Test]
    public void Write_ModernConfig_HasTheDocumentedKeysAndReadsBack()
    {
        var written = ConfigJson.Write(LeNetConfig.Modern);
        Assert.That(JsonNode.DeepEquals(written, JsonNode.Parse("""
            {"loss": "cross_entropy", "optimizer": "adamw", "shift": true, "dropout": 0.25, "activation": "relu", "faithful": true,
            "batch_norm": false}
            """)), Is.True, written.ToJsonString());
        Assert.That(_architecture.ReadConfig("default", written), Is.EqualTo(LeNetConfig.Modern));
    }

    [Test]
    public void ReadConfig_EveryWrongValue_IsNamedAtOnce()
    {
        var values = JsonNode.Parse("""{"los": "mse", "optimizer": "adam", "activation": "sigmoid", "shift": 1}""")!.AsObject();
        var problems = Assert.Throws<ConfigException>(() => _architecture.ReadConfig("default", values))!.Problems;
        Assert.That(problems, Has.Count.EqualTo(4));
        Assert.That(problems[0], Does.Contain("'los'").And.Contain("loss"));
        Assert.That(problems[1], Does.Contain("'optimizer'").And.Contain("sgd, adamw"));
        Assert.That(problems[2], Does.Contain("'activation'").And.Contain("tanh, relu"));
        Assert.That(problems[3], Does.Contain("'shift'"));
    }

    [TestCase(1.0)]
    [TestCase(-0.1)]
    [TestCase(double.NaN)]
    public void Problems_DropoutOutOfRange_IsNamed(double dropout) =>
        Assert.That(new LeNetConfig { Dropout = dropout }.Problems().Single(), Does.Contain("'dropout'"));

    [Test]
    public void ReadUpstreamConfig_DescriptiveKeys_GivesThePreset()
    {
        var values = JsonNode.Parse("""{"loss": "mean((y-yhat)^2)", "mode": "eval"}""")!.AsObject();
        Assert.That(_architecture.ReadUpstreamConfig("modern", values), Is.EqualTo(LeNetConfig.Modern));
    }

    // What `zoo export` writes beside the weights of a modern net must not come back as the net of 1989.
    [TestCase("default"), TestCase("softmax"), TestCase("shift"), TestCase("modern")]
    public void ReadUpstreamConfig_WhatAnExportWrote_ComesBack(string preset)
    {
        var config = (LeNetConfig)_architecture.Presets[preset] with { Faithful = false };
        Assert.That(_architecture.ReadUpstreamConfig("default", _architecture.WriteUpstreamConfig(config)), Is.EqualTo(config));
    }
}
