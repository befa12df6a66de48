using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Tasks;

namespace Zoo.Faulty;

/// <summary>An architecture of one layer, for plugins that differ in something else.</summary>
public abstract class TinyArchitecture(string name) : IModelArchitecture
{
    public virtual ArchitectureInfo Info { get; } = new(name, "Logistic regression", "A test's own") { Kind = ModelKind.ImageClassifier };

    public virtual IReadOnlyDictionary<string, ModelConfig> Presets { get; } =
        new Dictionary<string, ModelConfig> { ["default"] = new TinyConfig() };

    public ModelConfig ReadConfig(string preset, JsonObject values) =>
        Configuration.ConfigJson.Bind((TinyConfig)Presets[preset], values, Info.Name);

    public JsonObject ImpliedBy(TaskShape shape) => shape is { Image: { } image, ClassCount: { } classes }
        ? new JsonObject { ["image_size"] = image.Height, ["num_classes"] = classes }
        : [];

    public virtual Model CreateModel(ModelConfig config, BuildContext context) => new TinyModel((TinyConfig)config, context);
}
