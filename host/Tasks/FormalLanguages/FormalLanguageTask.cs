using Zoo.Configuration;
using Zoo.Tasks;
using Zoo.Training;

namespace Zoo.Host.Tasks;

/// <summary>
/// A task on a formal language (Delétang et al. 2023), set up as Beck et al. 2024 do: short strings to train on, and a score on longer ones.
/// A string's length comes from its own random numbers. Id 0 stands after the end of a string that is shorter than its row; nothing there is
/// scored, so a model that does not look ahead never sees it.
/// </summary>
/// <typeparam name="TOptions">The task's options.</typeparam>
/// <param name="defaults">Their defaults.</param>
internal abstract class FormalLanguageTask<TOptions>(TOptions defaults) : ITask
    where TOptions : FormalLanguageOptions
{
    public abstract TaskInfo Info { get; }

    public Settings Options => defaults;

    public TaskData Open(TaskRequest request)
    {
        var options = TaskOptions.Bind(defaults, request, Info);
        return new GeneratedTokens(
            Generator(options), Info, request.Seed,
            new GeneratedSet("train", options.MinLength, options.Length, options.TrainCount),
            [
                new GeneratedSet("val", options.MinLength, options.Length, options.TestCount),
                new GeneratedSet("test", options.Length + 1, options.LongestTest, options.TestCount) { DuringTraining = false },
            ],
            new TrainingSettings
            {
                BatchSize = 64,
                Steps = 5000,
                LearningRate = 1e-3,
                Schedule = ScheduleKind.Cosine,
                FinalLearningRateFactor = 0.01,
                WarmupSteps = 500,
                WeightDecay = 0.1,
                Beta2 = 0.99,
                GradientClip = 1,
            });
    }

    /// <summary>Writes the samples.</summary>
    protected abstract TokenGenerator Generator(TOptions options);
}
