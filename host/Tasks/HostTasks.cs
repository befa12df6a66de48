using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>Tasks that every model may learn and no paper owns.</summary>
internal static class HostTasks
{
    /// <summary>Every one.</summary>
    public static IReadOnlyList<ITask> All { get; } = [new DigitsTask()];
}
