using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model;

/// <summary>The language model: embedding, stack, head.</summary>
internal sealed class XLstmModel : TokenModel
{
    private const string EmbeddingKey = "token_embedding.weight", HeadKey = "lm_head.weight";

    [ComponentName(Name = "xlstm_block_stack")]
    private readonly XLstmBlockStack _stack;

    [ComponentName(Name = "token_embedding")]
    private readonly Weights _embedding;

    [ComponentName(Name = "lm_head")]
    private readonly Weights? _head;

    private readonly XLstmConfig _config;
    private readonly BuildContext _context;

    public XLstmModel(XLstmConfig config, BuildContext context)
        : base(nameof(XLstmModel))
    {
        _config = config;
        _context = context;
        _stack = new XLstmBlockStack(config, context);
        _embedding = Weights.Normal("token_embedding", Weights.Small(config.ModelDim), hasBias: false, config.VocabSize, config.ModelDim);
        _head = config.TieWeights ? null : Weights.Normal("lm_head", Weights.Small(config.ModelDim), hasBias: false, config.VocabSize, config.ModelDim);
        RegisterComponents();
    }

    public override int VocabSize => _config.VocabSize;

    private Tensor HeadWeight => (_head ?? _embedding).Weight;

    public override Tensor Hidden(Tensor ids) => Forward(ids, null);

    public override Tensor Hidden(Tensor ids, ModelState state) => Forward(ids, (XLstmState)state);

    public override Tensor Step(Tensor ids, ModelState state)
    {
        using var scope = NewDisposeScope();
        return Forward(ids.unsqueeze(1), (XLstmState)state).squeeze(1).MoveToOuterDisposeScope();
    }

    public override ModelState NewState(int batch) => _stack.NewState(batch);

    public override Tensor Head(Tensor hidden) => MixedPrecision.Linear(hidden, HeadWeight, null, _context.Dtype, _context.Kernels);

    public override Tensor HeadLoss(Tensor hidden, Tensor targets) => _context.Dtype == ScalarType.Float32
        ? CrossEntropy.Apply(hidden, HeadWeight, targets, kernels: _context.Kernels)
        : base.HeadLoss(hidden, targets);

    public override IReadOnlyList<string> TiedKeys(string key) => _head is null && key == EmbeddingKey ? [HeadKey] : [];

    /// <summary>Upstream's, which goes by names: weight decay for weights that are no norm's, so not for recurrent ones, and for the embedding where asked.</summary>
    public override IReadOnlyList<ParameterGroup> ParameterGroups() =>
    [
        new([.. named_parameters().Select(p => p.name).Where(name => !Decays(name))])
        {
            WeightDecay = 0,
        },
    ];

    /// <summary>Everything but the large matrices: gates, recurrent weights and small blocks are where bfloat16 would cost accuracy and save nothing.</summary>
    public override bool IsFloat32Island(string parameterName) => parameterName is not (EmbeddingKey or HeadKey)
        && !parameterName.EndsWith("proj_up.weight", StringComparison.Ordinal) && !parameterName.EndsWith("proj_down.weight", StringComparison.Ordinal);

    private bool Decays(string name) => name == EmbeddingKey
        ? _config.DecaysEmbedding
        : name.Contains("weight", StringComparison.Ordinal) && !name.Contains("norm", StringComparison.Ordinal);

    private Tensor Forward(Tensor ids, XLstmState? state)
    {
        using var scope = NewDisposeScope();
        var embedded = MixedPrecision.Embed(ids, _embedding.Weight);
        if (_config.DropsEmbedding)
            embedded = Drop(embedded, _config.Dropout);
        return _stack.Forward(embedded, state, Drop).MoveToOuterDisposeScope();
    }

    /// <summary>Zeros some numbers and scales the rest, as the model's own random numbers say.</summary>
    private Tensor Drop(Tensor x, double rate)
    {
        if (!training || rate == 0)
            return x;
        using var scope = NewDisposeScope();
        var kept = (float)(1 / (1 - rate));
        var factors = new float[x.numel()];
        for (var i = 0; i < factors.Length; i++)
            factors[i] = Randomness.NextSingle() < rate ? 0 : kept;
        return (x * tensor(factors, x.shape, device: x.device)).MoveToOuterDisposeScope();
    }
}
