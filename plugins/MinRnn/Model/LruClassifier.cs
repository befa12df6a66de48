using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>LRU layers over vectors and the logarithms of class probabilities.</summary>
internal sealed class LruClassifier : VectorSequenceModel
{
    [ComponentName(Name = "encoder")] private readonly LruEncoder _encoder;
    [ComponentName(Name = "decoder")] private readonly FlaxDense _decoder;
    private readonly LruConfig _config;

    public LruClassifier(LruConfig config, BuildContext context) : base("lru")
    {
        _config = config;
        _encoder = new LruEncoder(config, context);
        _decoder = new FlaxDense(config.ModelDim, (long)config.OutputDim!.Value * config.OutputCount, context);
        RegisterComponents();
    }

    public override int InputDim => _config.InputDim!.Value;

    public override IReadOnlyList<ParameterGroup> ParameterGroups() => LruParameters.Groups(this, _config);

    public override bool IsFloat32Island(string parameterName) => LruParameters.IsFloat32Island(parameterName);

    /// <exception cref="UserException">The config is no classifier of whole sequences.</exception>
    public override Tensor Logits(Tensor x)
    {
        if (_config.Pooling == SequencePooling.None || _config.OutputCount > 1)
            throw new UserException("lru: a classifier of whole sequences needs 'pooling' mean or last and 'multidim' 1.");
        return LogProbabilities(x);
    }

    /// <summary>`x` to `log_probs`: [batch, class], without pooling [batch, time, class].</summary>
    public override NamedTensors RunCase(NamedTensors inputs) => new() { ["log_probs"] = LogProbabilities(inputs["x"]) };

    private Tensor LogProbabilities(Tensor x)
    {
        using var scope = NewDisposeScope();
        var scores = _decoder.forward(_config.Pooling.Apply(_encoder.Forward(x, null, training ? Randomness : null)));
        if (_config.OutputCount > 1)                           // of each sequence [steps, class, output], as the original project has it
            scores = scores.reshape(scores.size(0), -1, _config.OutputDim!.Value, _config.OutputCount);
        return scores.log_softmax(-1).MoveToOuterDisposeScope();
    }
}
