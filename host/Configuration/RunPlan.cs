using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Tasks;
using Zoo.Training;

namespace Zoo.Host.Configuration;

/// <summary>A request with every name looked up and every value filled in: ready to build and train. Owns the data.</summary>
/// <param name="Installed">The architecture.</param>
/// <param name="Preset">The preset its config started from.</param>
/// <param name="Config">The model's config.</param>
/// <param name="Task">The task.</param>
/// <param name="TaskOptions">The task's options that were set.</param>
/// <param name="Data">The task's data, opened.</param>
/// <param name="Training">Training settings with nothing left unsaid but the choice between steps and passes.</param>
/// <param name="Request">What was typed.</param>
internal sealed record RunPlan(
    InstalledArchitecture Installed, string Preset, ModelConfig Config, ITask Task, JsonObject TaskOptions, TaskData Data,
    TrainingSettings Training, RunRequest Request) : IDisposable
{
    public void Dispose() => Data.Dispose();
}
