using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>A language model of LRU layers: every step is scored.</summary>
internal sealed class LruModel : TokenModel
{
    [ComponentName(Name = "encoder")] private readonly LruEncoder _encoder;
    [ComponentName(Name = "decoder")] private readonly FlaxDense _decoder;
    private readonly LruConfig _config;
    private readonly Device _device;

    public LruModel(LruConfig config, BuildContext context) : base("lru")
    {
        (_config, _device) = (config, context.Device);
        _encoder = new LruEncoder(config, context);
        _decoder = new FlaxDense(config.ModelDim, VocabSize, context);
        RegisterComponents();
    }

    public override int VocabSize => _config.VocabSize!.Value;

    public override IReadOnlyList<ParameterGroup> ParameterGroups() => LruParameters.Groups(this, _config);

    public override bool IsFloat32Island(string parameterName) => LruParameters.IsFloat32Island(parameterName);

    public override Tensor Hidden(Tensor ids) => Forward(ids, null);

    public override Tensor Hidden(Tensor ids, ModelState state) => Forward(ids, (RecurrentState)state);

    public override Tensor Head(Tensor hidden) => _decoder.forward(hidden);

    public override ModelState NewState(int batch) => _encoder.NewState(batch, _device);

    public override Tensor Step(Tensor ids, ModelState state)
    {
        using var scope = NewDisposeScope();
        return Forward(ids.unsqueeze(1), (RecurrentState)state).squeeze(1).MoveToOuterDisposeScope();
    }

    private Tensor Forward(Tensor ids, RecurrentState? state)
    {
        Shape.Require(ids, "ids", Shape.Any, Shape.Any);
        return _encoder.Forward(ids, state, training ? Randomness : null);
    }
}
