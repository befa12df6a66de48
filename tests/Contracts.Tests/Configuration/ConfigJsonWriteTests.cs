using System.Text.Json.Serialization;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Training;

namespace Zoo.Tests.Configuration;

/// <summary>What <see cref="ConfigJson.Write"/> gives, <see cref="ConfigJson.Bind"/> takes: a run's config is read again when it goes on.</summary>
internal sealed class ConfigJsonWriteTests
{
    private sealed record Derived : ModelConfig
    {
        [JsonPropertyName("d_model")] public int ModelDim { get; init; } = 8;

        [JsonPropertyName("nested")] public TrainingSettings Nested { get; init; } = new() { LearningRate = 0.5 };

        public int InnerDim => 2 * ModelDim;

        public override TrainingSettings Training => new() { LearningRate = 0.03 };
    }

    [Test]
    public void Write_OverriddenTrainingAndDerivedValues_AreLeftOut() =>
        Assert.That(ConfigJson.Write(new Derived()).Select(p => p.Key), Is.EqualTo(["d_model", "nested"]));

    [Test]
    public void Bind_WhatWasWritten_IsTheSame()
    {
        var config = new Derived { ModelDim = 24, Nested = new() { LearningRate = 0.25, StepAt = [0.5], Schedule = ScheduleKind.Cosine } };
        var again = ConfigJson.Bind(new Derived(), ConfigJson.Write(config), "derived");

        Assert.That(ConfigJson.Write(again).ToJsonString(), Is.EqualTo(ConfigJson.Write(config).ToJsonString()));
        Assert.That((again.ModelDim, again.Nested.LearningRate), Is.EqualTo((24, 0.25)));
    }
}
