using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;

namespace Zoo.LeNet;

/// <summary>The network of LeCun et al. 1989 for handwritten digits, and the steps that make a modern one of it.</summary>
public sealed class LeNetArchitecture : Architecture<LeNetConfig>
{
    /// <inheritdoc/>
    public override ArchitectureInfo Info { get; } = new("lenet1989",
        "The convolutional network of 1989 for handwritten digits, and its modern form",
        "LeCun et al. 1989, Backpropagation Applied to Handwritten Zip Code Recognition; form and ladder of karpathy/lecun1989-repro")
    {
        Kind = ModelKind.ImageClassifier,
        Aliases = [new ArchitectureAlias("lenet1989-modern", "modern")],
        DefaultTask = DigitsTask.Name,
        Ops = ["batch_norm", "lenet1989_net", "lenet1989_prepare"],
        Limits =
        [
            "Images are 16 x 16 with one channel and there are ten classes; the sizes are the paper's and cannot be set.",
            "Which 8 of H1's 12 planes a unit of H2 sees is the reproduction's choice: the paper leaves it open.",
            "Weights start within 2.4 / sqrt(fan-in) as in the reproduction, where the paper's print says 2.4 / fan-in.",
            "Plain stochastic gradient descent stands for the paper's diagonal Newton method, as in the reproduction.",
        ],
    };

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig>
    {
        ["default"] = new LeNetConfig(),
        ["softmax"] = LeNetConfig.Softmax,
        ["adamw"] = LeNetConfig.AdamW,
        ["shift"] = LeNetConfig.Shifted,
        ["dropout-relu"] = LeNetConfig.Modern,
        ["modern"] = LeNetConfig.Modern,
    };

    /// <summary>
    /// What an export wrote, which has every key; the preset otherwise: the reproduction has no config, and those of recorded cases only describe.
    /// </summary>
    public override ModelConfig ReadUpstreamConfig(string preset, JsonObject values) =>
        ConfigJson.Write(Presets[preset]).All(ours => values.ContainsKey(ours.Key)) ? ReadConfig(preset, values) : Presets[preset];

    /// <inheritdoc/>
    protected override Model CreateModel(LeNetConfig config, BuildContext context) => new LeNetModel(config, context);
}
