using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Tasks;
using Zoo.Training;

namespace Zoo.Host.Tasks;

/// <summary>
/// Multi-query associative recall (Arora et al. 2023): pairs of key and value, then each key once more, at which its value is to be named.
/// Probes how many associations a state holds. The head is evaluated at the queries alone. A row:
/// `4 7 1 6 0 0 0 0 4→7 0 0 0 0 0 1→6`.
/// </summary>
internal sealed class MqarTask : ITask
{
    public TaskInfo Info { get; } = new("mqar", "Multi-query associative recall: name the value of each key that comes again", ModelKind.TokenModel)
    {
        Skill = "holding many associations at once, and finding each by its key",
        Example = "4 7 1 6 0 0 0 0 4→7 0 0 0 0 0 1→6",
        ExampleOptions = ["length=16", "num_kv_pairs=2", "vocab_size=12"],
        Chance = "an accuracy of 2 / vocab_size: 0.008 for 256 ids; 1 / num_kv_pairs for one of the values that were shown",
    };

    public Settings Options { get; } = new MqarOptions();

    public TaskData Open(TaskRequest request)
    {
        var options = TaskOptions.Bind((MqarOptions)Options, request, Info);
        return new GeneratedTokens(
            new MqarGenerator(options), Info, request.Seed,
            new GeneratedSet("train", options.Length, options.Length, options.TrainCount),
            [
                new GeneratedSet("test", options.Length, options.Length, options.TestCount),
                .. options.TestLengths.Order().Select(length =>
                    new GeneratedSet($"test_{length}", length, length, options.TestCount) { DuringTraining = false }),
            ],
            new TrainingSettings
            {
                BatchSize = 64,
                Steps = 5000,
                LearningRate = 2e-3,
                Schedule = ScheduleKind.Cosine,
                WeightDecay = 0.1,
                WarmupSteps = 500,
                GradientClip = 1,
            });
    }
}
