using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Model;

/// <summary>The language model: a body of blocks and a head, ternary as in the published code, or in full precision as in the paper.</summary>
/// <remarks>HGRNBitForCausalLM in the published code, whose names the parameters have.</remarks>
internal sealed class MatMulFreeModel : TokenModel
{
    private const string EmbeddingKey = "model.embeddings.weight", HeadKey = "lm_head.weight";

    [ComponentName(Name = "model")]
    private readonly MatMulFreeBody _body;

    [ComponentName(Name = "lm_head")]
    private readonly nn.Module? _head;

    private readonly MatMulFreeConfig _config;
    private readonly BuildContext _context;

    public MatMulFreeModel(MatMulFreeConfig config, BuildContext context)
        : base(nameof(MatMulFreeModel))
    {
        (_config, _context) = (config, context);
        _body = new MatMulFreeBody(config, context);
        _head = (config.TernaryHead, config.TieEmbeddings) switch
        {
            (true, true) => new BitLinear("lm_head", _body.Embedding, context),
            (true, false) => new BitLinear("lm_head", Initial(), context),
            (false, true) => null,
            (false, false) => new Weight("lm_head", Initial()),
        };
        RegisterComponents();

        Tensor Initial() => empty(config.VocabSize, config.ModelDim).normal_(0, config.InitialSpread);
    }

    public override int VocabSize => _config.VocabSize;

    /// <summary>The head's matrix where it is in full precision.</summary>
    private Tensor FullHead => (_head as Weight ?? _body.Embedding).Value;

    public override Tensor Hidden(Tensor ids) => _body.Forward(ids, null);

    public override Tensor Hidden(Tensor ids, ModelState state) => _body.Forward(ids, (MatMulFreeState)state);

    public override Tensor Head(Tensor hidden) => _head is BitLinear ternary
        ? ternary.Forward(hidden)
        : MixedPrecision.Linear(hidden, FullHead, null, _context.Dtype);

    public override Tensor HeadLoss(Tensor hidden, Tensor targets) => _head is BitLinear || hidden.dtype != FullHead.dtype
        ? base.HeadLoss(hidden, targets)
        : CrossEntropy.Apply(hidden, FullHead, targets, null, _context.Kernels);

    public override ModelState NewState(int batch) => _body.NewState(batch);

    public override Tensor Step(Tensor ids, ModelState state)
    {
        using var scope = NewDisposeScope();
        return _body.Forward(ids.unsqueeze(1), (MatMulFreeState)state).squeeze(1).MoveToOuterDisposeScope();
    }

    /// <summary>Norms and lower bounds without weight decay.</summary>
    public override IReadOnlyList<ParameterGroup> ParameterGroups() =>
    [
        new([.. TrainableParameters().Where(p => p.Parameter.dim() < 2 || p.Name.EndsWith("lower_bounds", StringComparison.Ordinal)).Select(p => p.Name)])
        {
            WeightDecay = 0,
        },
    ];

    public override IReadOnlyList<string> TiedKeys(string key) => _config.TieEmbeddings && key == EmbeddingKey ? [HeadKey] : [];
}
