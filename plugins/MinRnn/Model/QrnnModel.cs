using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>Embedding, QRNN layers and a decoder.</summary>
internal sealed class QrnnModel : TokenModel
{
    [ComponentName(Name = "encoder")] private readonly Embedding _encoder;
    [ComponentName(Name = "layers")] private readonly ModuleList<QrnnLayer> _layers = [];
    [ComponentName(Name = "decoder")] private readonly Dense _decoder;
    private readonly QrnnStack _stack;
    private readonly Device _device;

    public QrnnModel(QrnnConfig config, BuildContext context) : base("qrnn")
    {
        VocabSize = config.VocabSize!.Value;
        _device = context.Device;
        _encoder = nn.Embedding(VocabSize, config.InputDim).to(context.Device);
        for (var i = 0; i < config.LayerCount; i++)
            _layers.Add(new QrnnLayer(config, i == 0 ? config.InputDim : config.HiddenDim, context));
        _decoder = new Dense(config.HiddenDim, VocabSize, hasBias: true, context);
        _stack = new QrnnStack(_layers, config);
        RegisterComponents();
    }

    public override int VocabSize { get; }

    public override Tensor Hidden(Tensor ids) => Forward(ids, null);

    public override Tensor Hidden(Tensor ids, ModelState state) => Forward(ids, (RecurrentState)state);

    public override Tensor Head(Tensor hidden) => _decoder.forward(hidden);

    public override Tensor HeadLoss(Tensor hidden, Tensor targets) => _decoder.Loss(hidden, targets) ?? base.HeadLoss(hidden, targets);

    public override ModelState NewState(int batch) => _stack.NewState(batch, _device);

    public override Tensor Step(Tensor ids, ModelState state)
    {
        using var scope = NewDisposeScope();
        return Forward(ids.unsqueeze(1), (RecurrentState)state).squeeze(1).MoveToOuterDisposeScope();
    }

    /// <summary>Time first inside, so that nothing is moved between layers.</summary>
    private Tensor Forward(Tensor ids, RecurrentState? state)
    {
        Shape.Require(ids, "ids", Shape.Any, Shape.Any);
        using var scope = NewDisposeScope();
        var x = MixedPrecision.Embed(ids.t(), _encoder.weight!);               // [time, batch, dim]
        return _stack.Forward(x, state, training ? Randomness : null).Output.transpose(0, 1).MoveToOuterDisposeScope();
    }
}
