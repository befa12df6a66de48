using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>QRNN layers over vectors: with class scores, or bare.</summary>
internal sealed class QrnnClassifier : VectorSequenceModel
{
    [ComponentName(Name = "layers")] private readonly ModuleList<QrnnLayer> _layers = [];
    [ComponentName(Name = "decoder")] private readonly Dense? _decoder;
    private readonly QrnnStack _stack;
    private readonly SequencePooling _pooling;

    public QrnnClassifier(QrnnConfig config, BuildContext context) : base("qrnn")
    {
        (InputDim, _pooling) = (config.InputDim, config.Pooling);
        for (var i = 0; i < config.LayerCount; i++)
            _layers.Add(new QrnnLayer(config, i == 0 ? config.InputDim : config.HiddenDim, context));
        _decoder = config.ClassCount is { } classes ? new Dense(config.HiddenDim, classes, hasBias: true, context) : null;
        _stack = new QrnnStack(_layers, config);
        RegisterComponents();
    }

    public override int InputDim { get; }

    /// <summary>Of the bare stack, what its pooling gives is the scores.</summary>
    public override Tensor Logits(Tensor x)
    {
        using var scope = NewDisposeScope();
        var hidden = _stack.Forward(x.transpose(0, 1).contiguous(), null, training ? Randomness : null).Output;
        var pooled = _pooling.Apply(hidden.transpose(0, 1));
        return (_decoder is null ? pooled : _decoder.forward(pooled)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// `x`, [time, batch, dim], and perhaps `hidden`, every layer's state before, [layer, batch, hidden], to `y`, [time, batch, hidden], and the final
    /// `hidden`; a classifier's `x` to `logits`.
    /// </summary>
    public override NamedTensors RunCase(NamedTensors inputs)
    {
        if (_decoder is not null)
            return base.RunCase(inputs);
        var (y, last) = _stack.Forward(inputs["x"], null, training ? Randomness : null, inputs.Find("hidden"));
        return new() { ["y"] = y, ["hidden"] = last };
    }
}
