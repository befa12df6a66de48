using System.Text.Json.Nodes;
using Zoo.Configuration;
using Zoo.Training;

namespace Zoo.Tests.Training;

public sealed class TrainingSettingsTests
{
    [Test]
    public void Over_EverySetting_TakesTheBasisWhereItSaysNothing()
    {
        var full = ConfigJson.Bind(new TrainingSettings(), JsonNode.Parse("""
            {"optimizer":"adamw","lr":1,"schedule":"cosine","final_lr_factor":0.1,"warmup_steps":2,"warmup_start_factor":0.5,"step_factor":0.3,
             "step_at":[0.5],"weight_decay":0.1,"momentum":0.9,"beta1":0.8,"beta2":0.7,"eps":1e-6,"clip":1,"batch_size":3,"accumulate":2,
             "steps":9,"passes":4,"shuffle":true}
            """)!.AsObject(), "training");
        var keys = ConfigJson.Write(full).Select(p => p.Key).ToList();
        Assert.That(ConfigJson.Write(full).Where(p => p.Value is null).Select(p => p.Key), Is.Empty, "a setting that this test does not know");
        Assert.That(new TrainingSettings().Over(full), Is.EqualTo(full));
        Assert.That(full.Over(new TrainingSettings()), Is.EqualTo(full));
        foreach (var key in keys.Except(["steps", "passes"]))   // of these two, one silences the other
        {
            var one = ConfigJson.Bind(new TrainingSettings(), new JsonObject { [key] = ConfigJson.Write(full)[key]!.DeepClone() }, "training");
            var other = ConfigJson.Write(one.Over(new TrainingSettings()));
            Assert.That(other.Where(p => p.Value is not null).Select(p => p.Key), Is.EqualTo(new[] { key }));
        }
    }

    [Test]
    public void Over_StepsOrPasses_SilencesTheOtherOfTheBasis()
    {
        var steps = new TrainingSettings { Steps = 5 };
        var passes = new TrainingSettings { Passes = 2 };
        Assert.That(steps.Over(passes), Is.EqualTo(steps));
        Assert.That(passes.Over(steps), Is.EqualTo(passes));
        Assert.That(steps.Over(new TrainingSettings { Steps = 7 }).Steps, Is.EqualTo(5));
    }

    [TestCase("""{"lr":-1}""", "'lr' is -1; it must be at least 0.")]
    [TestCase("""{"lr":"NaN"}""", "'lr' is NaN; it must be at least 0.")]
    [TestCase("""{"lr":"Infinity"}""", "'lr' is Infinity; it must be finite.")]
    [TestCase("""{"batch_size":0}""", "'batch_size' is 0; it must be at least 1.")]
    [TestCase("""{"accumulate":0}""", "'accumulate' is 0; it must be at least 1.")]
    [TestCase("""{"steps":-1}""", "'steps' is -1; it must be at least 0.")]
    [TestCase("""{"beta1":1}""", "'beta1' is 1; it must be below 1.")]
    [TestCase("""{"beta2":1.5}""", "'beta2' is 1.5; it must be below 1.")]
    [TestCase("""{"momentum":1}""", "'momentum' is 1; it must be below 1.")]
    [TestCase("""{"step_at":[0.5,1]}""", "'step_at' is [0.5, 1]; its fractions must lie between 0 and 1.")]
    [TestCase("""{"step_at":["NaN"]}""", "'step_at' is [NaN]; its fractions must lie between 0 and 1.")]
    [TestCase("""{"optimizer":"adam_w"}""", "'optimizer' is \"adam_w\"; it must be one of sgd, adamw.")]
    [TestCase("""{"schedule":"warm"}""", "'schedule' is \"warm\"; it must be one of constant, linear, cosine, step, cosine_step.")]
    public void Problems_ValueOutOfRange_IsNamed(string json, string sentence) =>
        Assert.That(() => ConfigJson.Bind(new TrainingSettings(), JsonNode.Parse(json)!.AsObject(), "training"),
            Throws.TypeOf<ConfigException>().With.Property(nameof(ConfigException.Problems)).EqualTo(new[] { sentence }));

    [Test]
    public void Problems_NothingSaid_AreNone() => Assert.That(new TrainingSettings().Problems(), Is.Empty);
}
