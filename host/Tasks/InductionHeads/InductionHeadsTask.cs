using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Tasks;
using Zoo.Training;

namespace Zoo.Host.Tasks;

/// <summary>
/// Induction heads (Olsson et al. 2022) as Gu and Dao 2023 set them up: a marker stands once among random tokens and again at the end, where
/// the token that followed it is to be named. Probes recall by content, at lengths far beyond those of training. A row:
/// `5 1 10 11 15 12 12 1 6 15→12`.
/// </summary>
internal sealed class InductionHeadsTask : ITask
{
    private const int LeastTests = 64;

    public TaskInfo Info { get; } = new("induction-heads", "Name the token that followed the marker, at longer and longer lengths", ModelKind.TokenModel)
    {
        Skill = "recall by content, and carrying it over to lengths that training never showed",
        Example = "5 1 10 11 15 12 12 1 6 15→12",
        ExampleOptions = ["length=10"],
        Chance = "an accuracy of 1 / (vocab_size - 1): 0.067 for 16 ids",
    };

    public Settings Options { get; } = new InductionHeadsOptions();

    public TaskData Open(TaskRequest request)
    {
        var options = TaskOptions.Bind((InductionHeadsOptions)Options, request, Info);
        return new GeneratedTokens(
            new InductionHeadsGenerator(options.VocabSize), Info, request.Seed,
            new GeneratedSet("train", options.MinLength ?? options.Length, options.Length, options.TrainCount),
            [
                .. options.LengthsToTest().Select(length => new GeneratedSet($"test_{length}", length, length, Tests(options, length))
                {
                    DuringTraining = length <= options.Length,
                }),
            ],
            new TrainingSettings { BatchSize = 8, Steps = 10_000, LearningRate = 1e-3, WeightDecay = 0, GradientClip = 1 });
    }

    /// <summary>Fewer samples where they are longer than in training, so that a long set costs about as much as the others.</summary>
    private static long Tests(InductionHeadsOptions options, int length) => length <= options.Length
        ? options.TestCount
        : Math.Max(Math.Min(LeastTests, options.TestCount), (long)options.TestCount * options.Length / length);
}
