using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>A language model of recurrent blocks; keys as in lucidrains' minGRU-pytorch.</summary>
internal sealed class MinLmModel : TokenModel
{
    [ComponentName(Name = "token_emb")] private readonly Embedding _embedding;
    [ComponentName(Name = "layers")] private readonly ModuleList<MinLmBlock> _layers = [];
    [ComponentName(Name = "norm")] private readonly RmsNormLayer _norm;
    [ComponentName(Name = "to_logits")] private readonly Dense _head;
    private readonly MinLmStack _stack;
    private readonly Device _device;

    public MinLmModel(string name, MinLmConfig config, Func<Mixer> newMixer, BuildContext context) : base(name)
    {
        VocabSize = config.VocabSize!.Value;
        _device = context.Device;
        _embedding = nn.Embedding(VocabSize, config.ModelDim).to(context.Device);
        for (var i = 0; i < config.LayerCount; i++)
            _layers.Add(new MinLmBlock(config, newMixer(), context));
        _norm = new RmsNormLayer(config.ModelDim, context);
        _head = new Dense(config.ModelDim, VocabSize, hasBias: false, context);
        _stack = new MinLmStack(_layers, _norm);
        RegisterComponents();
    }

    public override int VocabSize { get; }

    public override Tensor Hidden(Tensor ids) => Forward(ids, null);

    public override Tensor Hidden(Tensor ids, ModelState state) => Forward(ids, (RecurrentState)state);

    public override Tensor Head(Tensor hidden) => _head.forward(hidden);

    public override Tensor HeadLoss(Tensor hidden, Tensor targets) => _head.Loss(hidden, targets) ?? base.HeadLoss(hidden, targets);

    public override ModelState NewState(int batch) => _stack.NewState(batch, _device);

    public override Tensor Step(Tensor ids, ModelState state)
    {
        using var scope = NewDisposeScope();
        return Forward(ids.unsqueeze(1), (RecurrentState)state).squeeze(1).MoveToOuterDisposeScope();
    }

    private Tensor Forward(Tensor ids, RecurrentState? state)
    {
        Shape.Require(ids, "ids", Shape.Any, Shape.Any);
        using var scope = NewDisposeScope();
        return _stack.Forward(MixedPrecision.Embed(ids, _embedding.weight!), state, training ? Randomness : null).MoveToOuterDisposeScope();
    }
}
