using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
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
    /// <summary>Requires that a model whose config the task did not decide takes what the task gives.</summary>
    /// <exception cref="UserException">It is of another kind, or smaller, or its config says otherwise.</exception>
    public void RequireFit(Model model)
    {
        var (name, task, shape) = (Installed.Info.Name, Task.Info.Name, Data.Shape);
        if (model.Kind != shape.Kind)
            throw new UserException($"The task {task} is not for what this config of {name} builds. `zoo show {name}` lists its tasks.");
        if (model is TokenModel tokens)
        {
            if (tokens.VocabSize < shape.VocabSize)
                throw new UserException($"The task {task} has {shape.VocabSize:N0} ids, and this {name} knows {tokens.VocabSize:N0}. Name the task that it was trained for.");
            if (tokens.MaximumLength < (shape.MaximumLength ?? shape.Length))
            {
                throw new UserException($"The task {task} has sequences of {shape.MaximumLength ?? shape.Length:N0} tokens, and this {name} takes {tokens.MaximumLength:N0}: " +
                    "give a shorter --length.");
            }
            return;
        }
        var values = ConfigJson.Flatten(Config).ToDictionary(p => p.Key, p => p.Value);
        foreach (var (key, needed) in ConfigJson.Flatten(Installed.Architecture.ImpliedBy(shape, Preset, ConfigJson.Write(Config))))
        {
            if (!JsonNode.DeepEquals(needed, values.GetValueOrDefault(key)))
            {
                throw new UserException($"The task {task} needs a {name} whose '{key}' is {needed?.ToJsonString() ?? "null"}, and this one has " +
                    $"{values.GetValueOrDefault(key)?.ToJsonString() ?? "null"}.");
            }
        }
    }

    public void Dispose() => Data.Dispose();
}
