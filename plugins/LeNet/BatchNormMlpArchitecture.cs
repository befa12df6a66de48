using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Tasks;

namespace Zoo.LeNet;

/// <summary>The fully connected net of Ioffe and Szegedy 2015 for MNIST, with batch normalisation and without.</summary>
public sealed class BatchNormMlpArchitecture : Architecture<BatchNormMlpConfig>
{
    /// <inheritdoc/>
    public override ArchitectureInfo Info { get; } = new("batchnorm-mlp",
        "A sigmoid net of three hidden layers, with batch normalisation or without",
        "Ioffe and Szegedy 2015, Batch Normalization, arXiv:1502.03167, section 4.1")
    {
        Kind = ModelKind.ImageClassifier,
        DefaultTask = "digits",
        Ops = ["batch_norm"],
        Limits =
        [
            "The paper gives no learning rate and no spread of the initial weights for this net; 0.5 and 0.1 are ours.",
            "In training a batch needs two examples or more.",
        ],
    };

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig>
    {
        ["default"] = new BatchNormMlpConfig(),
        ["plain"] = BatchNormMlpConfig.Plain,
    };

    /// <inheritdoc/>
    public override JsonObject ImpliedBy(TaskShape shape)
    {
        var implied = new JsonObject();
        if (shape.Image is { } image)
            (implied["channels"], implied["height"], implied["width"]) = (image.Channels, image.Height, image.Width);
        if (shape.ClassCount is { } classes)
            implied["classes"] = classes;
        return implied;
    }

    /// <inheritdoc/>
    protected override Model CreateModel(BatchNormMlpConfig config, BuildContext context) => new BatchNormMlpModel(config, context);
}
