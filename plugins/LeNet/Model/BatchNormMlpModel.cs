using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.LeNet;

/// <summary>Fully connected layers with a nonlinearity, each normalised before it where the config says so, and class scores.</summary>
/// <remarks>Ioffe and Szegedy 2015, sections 3.2 and 4.1: z = g(BN(W u)); without normalisation z = g(W u + b).</remarks>
internal sealed class BatchNormMlpModel : ImageClassifier
{
    private const string NormsName = "norms";

    [ComponentName(Name = "hidden")] private readonly ModuleList<Linear> _hidden = [];
    [ComponentName(Name = NormsName)] private readonly ModuleList<BatchNormLayer> _norms = [];
    [ComponentName(Name = "output")] private readonly Linear _output;
    private readonly BatchNormMlpConfig _config;

    public BatchNormMlpModel(BatchNormMlpConfig config, BuildContext context) : base("batchnorm-mlp")
    {
        _config = config;
        Input = new ImageShape(config.Channels, config.Height, config.Width);
        var inputDim = config.InputDim;
        foreach (var width in config.Hidden)
        {
            _hidden.Add(Layer(inputDim, width, hasBias: !config.BatchNorm));
            if (config.BatchNorm)
                _norms.Add(new BatchNormLayer(width, config.Epsilon, config.Momentum, context.Kernels, context.Device));
            inputDim = width;
        }
        _output = Layer(inputDim, config.ClassCount, hasBias: true);
        RegisterComponents();

        // Drawn on the CPU wherever the model goes, so that a seed means one set of weights.
        Linear Layer(long from, long to, bool hasBias)
        {
            var layer = nn.Linear(from, to, hasBias);
            nn.init.normal_(layer.weight!, 0, config.InitStd);
            if (hasBias)
                nn.init.zeros_(layer.bias!);
            return layer.to(context.Device);
        }
    }

    public override ImageShape Input { get; }

    public override int ClassCount => _config.ClassCount;

    /// <summary>Normalisation stays in float32: its statistics need the bits.</summary>
    public override bool IsFloat32Island(string parameterName) => parameterName.StartsWith(NormsName + ".", StringComparison.Ordinal);

    /// <param name="images">[batch, channel, height, width].</param>
    /// <returns>Scores before the softmax, float32 [batch, class].</returns>
    /// <exception cref="ShapeException">The images have another shape, or a training batch has one example.</exception>
    public override Tensor Logits(Tensor images)
    {
        Shape.Require(images, "images", Shape.Any, Input.Channels, Input.Height, Input.Width);
        using var scope = NewDisposeScope();
        var x = images.flatten(1).to(_output.weight!.dtype);                       // [batch, dim]
        for (var i = 0; i < _hidden.Count; i++)
        {
            x = _hidden[i].forward(x);
            if (_config.BatchNorm)
                x = _norms[i].forward(x);
            x = Activate(x);
        }
        var scores = _output.forward(x);
        if (scores.dtype is ScalarType.BFloat16 or ScalarType.Float16)
            scores = scores.to(ScalarType.Float32);                                // the loss is no place to save bits
        return scores.MoveToOuterDisposeScope();
    }

    private Tensor Activate(Tensor x) => _config.Activation switch
    {
        BatchNormMlpActivation.Sigmoid => x.sigmoid(),
        BatchNormMlpActivation.Tanh => x.tanh(),
        _ => x.relu(),
    };
}
