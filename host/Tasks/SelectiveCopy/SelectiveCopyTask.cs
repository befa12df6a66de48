using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Tasks;
using Zoo.Training;

namespace Zoo.Host.Tasks;

/// <summary>
/// Selective copying (Gu and Dao 2023) in the layout of S4's generator: M tokens lie among L places of noise (0); after them come M markers,
/// at which the tokens are to be named in order. Probes choosing what to remember by content. A row:
/// `0 0 0 3 1 0 0 0 7 0 0 11→3 11→1 11→7`.
/// </summary>
internal sealed class SelectiveCopyTask : ITask
{
    public TaskInfo Info { get; } = new("selective-copy", "Copy the tokens that lie among noise, in their order", ModelKind.TokenModel)
    {
        Skill = "remembering by content and forgetting the rest, over gaps that differ from sample to sample",
        Example = "0 0 0 3 1 0 0 0 7 0 0 11→3 11→1 11→7",
        ExampleOptions = ["length=8", "tokens=3", "vocab_size=12"],
        Chance = "an accuracy of 1 / (vocab_size - 2): 0.071 for 16 ids",
    };

    public Settings Options { get; } = new SelectiveCopyOptions();

    public TaskData Open(TaskRequest request)
    {
        var options = TaskOptions.Bind((SelectiveCopyOptions)Options, request, Info);
        return new GeneratedTokens(
            new SelectiveCopyGenerator(options.Tokens, options.VocabSize), Info, request.Seed,
            new GeneratedSet("train", options.Length, options.Length, options.TrainCount),
            [
                new GeneratedSet("test", options.Length, options.Length, options.TestCount),
                .. options.TestLengths.Order().Select(length =>
                    new GeneratedSet($"test_{length}", length, length, options.TestCount) { DuringTraining = false }),
            ],
            new TrainingSettings
            {
                BatchSize = 64,
                Steps = 4000,
                LearningRate = 1e-3,
                WarmupSteps = 100,
                Schedule = ScheduleKind.Cosine,
                GradientClip = 1,
            });
    }
}
