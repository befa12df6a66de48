using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>The same blocks over vectors, and class scores of the whole sequence.</summary>
internal sealed class MinLmClassifier : VectorSequenceModel
{
    [ComponentName(Name = "to_model")] private readonly Dense _input;
    [ComponentName(Name = "layers")] private readonly ModuleList<MinLmBlock> _layers = [];
    [ComponentName(Name = "norm")] private readonly RmsNormLayer _norm;
    [ComponentName(Name = "to_logits")] private readonly Dense _head;
    private readonly MinLmStack _stack;
    private readonly SequencePooling _pooling;

    public MinLmClassifier(string name, MinLmConfig config, Func<Mixer> newMixer, BuildContext context) : base(name)
    {
        InputDim = config.InputDim!.Value;
        _pooling = config.Pooling;
        _input = new Dense(InputDim, config.ModelDim, hasBias: true, context);
        for (var i = 0; i < config.LayerCount; i++)
            _layers.Add(new MinLmBlock(config, newMixer(), context));
        _norm = new RmsNormLayer(config.ModelDim, context);
        _head = new Dense(config.ModelDim, config.ClassCount!.Value, hasBias: true, context);
        _stack = new MinLmStack(_layers, _norm);
        RegisterComponents();
    }

    public override int InputDim { get; }

    public override Tensor Logits(Tensor x)
    {
        using var scope = NewDisposeScope();
        var hidden = _stack.Forward(_input.forward(x), null, training ? Randomness : null);
        return _head.forward(_pooling.Apply(hidden)).MoveToOuterDisposeScope();
    }
}
