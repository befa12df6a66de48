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
    /// <summary>Requires that a model takes what the task gives: one whose config the task did not decide, or one where `--set` went over what it implies.</summary>
    /// <exception cref="UserException">It is of another kind, or smaller, or its config says otherwise.</exception>
    public void RequireFit(Model model)
    {
        var (name, task, shape) = (Installed.Info.Name, Task.Info.Name, Data.Shape);
        if (model.Kind != shape.Kind)
            throw new UserException($"The task {task} is not for what this config of {name} builds. `zoo show {name}` lists its tasks.");
        switch (model)
        {
            case TokenModel tokens when tokens.VocabSize < shape.VocabSize:
                throw new UserException($"The task {task} has {shape.VocabSize:N0} ids, and this {name} knows {tokens.VocabSize:N0}. {Remedy("Name the task that it was trained for")}.");
            case TokenModel tokens when tokens.MaximumLength < (shape.MaximumLength ?? shape.Length):
                throw new UserException($"The task {task} has sequences of {shape.MaximumLength ?? shape.Length:N0} tokens, and this {name} takes {tokens.MaximumLength:N0}. " +
                    $"{Remedy("Give a shorter --length")}.");
            case ImageClassifier images when shape.Image is { } image && images.Input != image:
                throw new UserException($"The task {task} has images of {Words(image)}, and this {name} takes {Words(images.Input)}. {Remedy("Name the task that it was trained for")}.");
            case ImageClassifier images when images.ClassCount < shape.ClassCount:
                throw new UserException($"The task {task} has {shape.ClassCount:N0} classes, and this {name} tells {images.ClassCount:N0} apart. {Remedy("Name the task that it was trained for")}.");
            case VectorSequenceModel vectors when shape.InputDim is { } width && vectors.InputDim != width:
                throw new UserException($"The task {task} has vectors of {width:N0} numbers, and this {name} takes {vectors.InputDim:N0}. {Remedy("Name the task that it was trained for")}.");
            case VectorSequenceModel:
                RequireAsLargeAsImplied(name, task);
                break;
        }
    }

    /// <summary>What a model over vectors gives is known from its config alone.</summary>
    private void RequireAsLargeAsImplied(string name, string task)
    {
        var values = ConfigJson.Flatten(Config).ToDictionary(p => p.Key, p => p.Value);
        foreach (var (key, needed) in Implied())
        {
            var own = values.GetValueOrDefault(key);
            if (JsonNode.DeepEquals(needed, own) || (Whole(needed) is { } least && Whole(own) >= least))
                continue;
            throw new UserException($"The task {task} needs a {name} whose '{key}' is {needed?.ToJsonString() ?? "null"}, and this one has {own?.ToJsonString() ?? "null"}. " +
                $"{Remedy("Name the task that it was trained for")}.");
        }
    }

    private static long? Whole(JsonNode? node) => node is JsonValue value && value.TryGetValue(out long number) ? number : null;

    /// <summary>What the user can do: take back what was set over the task's own values, or else what fits the command.</summary>
    private string Remedy(string otherwise)
    {
        var set = ConfigJson.Flatten(RunPlanner.ModelSets(Request)).Select(p => p.Key).Intersect(Implied().Select(p => p.Key)).ToList();
        return set.Count == 0 ? otherwise : $"Leave out {string.Join(" and ", set.Select(key => $"--set {key}"))}: the task implies it";
    }

    private IEnumerable<KeyValuePair<string, JsonNode?>> Implied() =>
        ConfigJson.Flatten(Installed.Architecture.ImpliedBy(Data.Shape, Preset, ConfigJson.Write(Config)));

    private static string Words(ImageShape image) => $"{image.Channels} × {image.Height} × {image.Width}";

    public void Dispose() => Data.Dispose();
}
