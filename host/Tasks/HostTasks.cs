using Zoo.Architectures;
using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>Tasks that every model may learn and no paper owns.</summary>
internal static class HostTasks
{
    /// <summary>Every one.</summary>
    public static IReadOnlyList<ITask> All { get; } =
    [
        new CharLmTask(), new ByteLmTask(),
        new SelectiveCopyTask(), new InductionHeadsTask(), new MqarTask(),
        new ParityTask(), new EvenPairsTask(), new CycleNavigationTask(), new ModularArithmeticTask(), new MajorityTask(), new BucketSortTask(),
        new ListOpsTask(),
        new SequentialMnistTask(), new PermutedMnistTask(), new DigitsTask(),
    ];

    /// <summary>The task that is meant when neither the user nor the architecture names one; null where the host has none of the kind.</summary>
    public static string? DefaultFor(ModelKind kind) => kind switch
    {
        ModelKind.TokenModel => "char-lm",
        ModelKind.ImageClassifier => "digits",
        ModelKind.VectorSequence => "sequential-mnist",
        _ => null,
    };
}
