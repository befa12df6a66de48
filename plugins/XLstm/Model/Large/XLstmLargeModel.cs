using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model.Large;

/// <summary>The large language model: embedding, backbone, head with capped logits.</summary>
internal sealed class XLstmLargeModel : TokenModel
{
    private const string EmbeddingKey = "embedding.weight";

    [ComponentName(Name = "embedding")]
    private readonly Weights _embedding;

    [ComponentName(Name = "backbone")]
    private readonly LargeBackbone _backbone;

    [ComponentName(Name = "lm_head")]
    private readonly Weights _head;

    private readonly XLstmLargeConfig _config;
    private readonly BuildContext _context;

    public XLstmLargeModel(XLstmLargeConfig config, BuildContext context)
        : base(nameof(XLstmLargeModel))
    {
        _config = config;
        _context = context;
        _embedding = Weights.Normal("embedding", 1, hasBias: false, config.VocabSize, config.ModelDim);
        _backbone = new LargeBackbone(config, context);
        _head = Weights.Uniform("lm_head", hasBias: false, config.VocabSize, config.ModelDim);
        RegisterComponents();
    }

    public override int VocabSize => _config.VocabSize;

    public override Tensor Hidden(Tensor ids) => Forward(ids, null);

    public override Tensor Hidden(Tensor ids, ModelState state) => Forward(ids, (XLstmState)state);

    public override Tensor Step(Tensor ids, ModelState state)
    {
        using var scope = NewDisposeScope();
        return Forward(ids.unsqueeze(1), (XLstmState)state).squeeze(1).MoveToOuterDisposeScope();
    }

    public override ModelState NewState(int batch) => _backbone.NewState(batch);

    public override Tensor Head(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        return LargeMlstmLayer.SoftCap(MixedPrecision.Linear(hidden, _head.Weight, null, _context.Dtype, _context.Kernels), _config.LogitCap).MoveToOuterDisposeScope();
    }

    public override Tensor HeadLoss(Tensor hidden, Tensor targets) => _config.LogitCap is null && _context.Dtype == ScalarType.Float32
        ? CrossEntropy.Apply(hidden, _head.Weight, targets, kernels: _context.Kernels)
        : base.HeadLoss(hidden, targets);

    /// <summary>As in the small model: weight decay for what has more than one axis, without the embedding.</summary>
    public override IReadOnlyList<ParameterGroup> ParameterGroups() =>
        [new([.. named_parameters().Where(p => p.parameter.Dimensions < 2 || p.name == EmbeddingKey).Select(p => p.name)]) { WeightDecay = 0 }];

    /// <summary>Norms, biases, the two gates, queries and keys.</summary>
    public override bool IsFloat32Island(string parameterName) => !parameterName.EndsWith(".weight", StringComparison.Ordinal)
        || parameterName.Contains("norm", StringComparison.Ordinal) || parameterName.Contains("igate_preact", StringComparison.Ordinal)
        || parameterName.Contains("fgate_preact", StringComparison.Ordinal) || parameterName.EndsWith("mlstm_layer.q.weight", StringComparison.Ordinal)
        || parameterName.EndsWith("mlstm_layer.k.weight", StringComparison.Ordinal) || parameterName.EndsWith("qkv_opreact.weight", StringComparison.Ordinal);

    private Tensor Forward(Tensor ids, XLstmState? state)
    {
        using var scope = NewDisposeScope();
        return _backbone.Forward(MixedPrecision.Embed(ids, _embedding.Weight), state).MoveToOuterDisposeScope();
    }
}
