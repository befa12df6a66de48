using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Tasks;
using Zoo.Training;

namespace Zoo.Host.Tasks;

/// <summary>
/// ListOps (Nangia and Bowman 2018) as the Long Range Arena generates it: the value of nested MIN, MAX, MED (median, rounded down) and SM (sum
/// modulo 10) of digits, named at the last bracket. Probes hierarchy. A row:
/// `[MED 5 [MAX 7 2 7 0 [MAX 3 9 1 0 5 2 8 9 1 4 ] 7 ] 0 6 ]→5`.
/// </summary>
internal sealed class ListOpsTask : ITask
{
    public TaskInfo Info { get; } = new("listops", "The value of nested MIN, MAX, MED and SM of digits", ModelKind.TokenModel)
    {
        Skill = "evaluating what is nested, over distances that its structure sets",
        Example = "[MED 5 [MAX 7 2 7 0 [MAX 3 9 1 0 5 2 8 9 1 4 ] 7 ] 0 6 ]→5",
        ExampleOptions = ["length=24", "min_length=12"],
        Chance = "an accuracy of 0.16, that of the answer 9 always; 0.1 for an even guess",
    };

    public Settings Options { get; } = new ListOpsOptions();

    public TaskData Open(TaskRequest request)
    {
        var options = TaskOptions.Bind((ListOpsOptions)Options, request, Info);
        var generator = new ListOpsGenerator(options);
        generator.RequireLikely();
        return new GeneratedTokens(
            generator, Info, request.Seed,
            new GeneratedSet("train", options.MinLength, options.Length, options.TrainCount),
            [new GeneratedSet("test", options.MinLength, options.Length, options.TestCount)],
            new TrainingSettings
            {
                BatchSize = 32,
                Steps = 5000,
                LearningRate = 1e-3,
                Schedule = ScheduleKind.Cosine,
                WarmupSteps = 500,
                WeightDecay = 0.05,
                GradientClip = 1,
            });
    }
}
