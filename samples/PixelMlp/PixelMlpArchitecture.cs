using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Tasks;

namespace PixelMlp;

/// <summary>What the host finds in the DLL. It describes and builds; no files, no device, no static state.</summary>
public sealed class PixelMlpArchitecture : Architecture<PixelMlpConfig>
{
    public override ArchitectureInfo Info { get; } =
        new("pixel-mlp", "Perceptron with one hidden layer on pixels", "Rumelhart, Hinton & Williams 1986, Nature 323")
        {
            Kind = ModelKind.ImageClassifier,
            DefaultTask = "shapes",
        };

    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig>
    {
        ["default"] = new PixelMlpConfig(),
        ["wide"] = new PixelMlpConfig { HiddenDim = 512 },
    };

    /// <summary>The config keys that follow from the task. With this the model fits any task of images.</summary>
    public override JsonObject ImpliedBy(TaskShape shape)
    {
        var implied = new JsonObject();
        if (shape.Image is { } image)
            (implied["in_channels"], implied["image_height"], implied["image_width"]) = (image.Channels, image.Height, image.Width);
        if (shape.ClassCount is { } classes)
            implied["num_classes"] = classes;
        return implied;
    }

    protected override Model CreateModel(PixelMlpConfig config, BuildContext context) => new PixelMlpModel(config, context);
}
