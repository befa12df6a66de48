using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.MatMulFree.Ops.TernaryMatmul;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Model;

/// <summary>The language model: a body of blocks and a head, ternary as in the published code, or in full precision as in the paper.</summary>
/// <remarks>HGRNBitForCausalLM in the published code, whose names the parameters have.</remarks>
internal sealed class MatMulFreeModel : TokenModel, IPackedWeights
{
    private const string EmbeddingKey = "model.embeddings.weight", HeadKey = "lm_head.weight", CodesSuffix = "_codes", ScaleSuffix = "_scale";

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
            (true, false) => new BitLinear("lm_head", config.VocabSize, config.ModelDim, Initialise, context),
            (false, true) => null,
            (false, false) => Weight.Large("lm_head", config.VocabSize, config.ModelDim, Initialise, context),
        };
        PiecewiseInitial.Release();
        RegisterComponents();

        void Initialise(Tensor weight) => weight.normal_(0, config.InitialSpread);
    }

    public string PackedFormat => TernaryPacking.Format;

    public bool IsPacked => _context.Packed;

    public override int VocabSize => _config.VocabSize;

    /// <summary>The head's matrix where it is in full precision.</summary>
    private Tensor FullHead => (_head as Weight ?? _body.Embedding).Value;

    public override Tensor Hidden(Tensor ids) => _body.Forward(ids, null);

    public override Tensor Hidden(Tensor ids, ModelState state) => _body.Forward(ids, (MatMulFreeState)state);

    public override Tensor Head(Tensor hidden) => _head is BitLinear ternary
        ? ternary.Forward(hidden)
        : MixedPrecision.Linear(hidden, FullHead, null, _context.Dtype, _context.Kernels);

    public override Tensor HeadLoss(Tensor hidden, Tensor targets) => _head is BitLinear || hidden.dtype != FullHead.dtype
        ? base.HeadLoss(hidden, targets)
        : CrossEntropy.Apply(hidden, FullHead, targets, null, _context.Kernels);

    public override ModelState NewState(int batch) => _body.NewState(batch);

    public override Tensor Step(Tensor ids, ModelState state)
    {
        if (IsPacked && PackedDecoder.WhyNot(_config, _context.Kernels, _context.Device) is null)
            return _body.PackedStep(ids, (MatMulFreeState)state);
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

    /// <summary>A packed head has codes of its own.</summary>
    public override IReadOnlyList<string> TiedKeys(string key) => _config.TieEmbeddings && key == EmbeddingKey && !(IsPacked && _config.TernaryHead) ? [HeadKey] : [];

    public NamedTensors Pack(NamedTensors weights)
    {
        var packed = new NamedTensors();
        var ternary = TernaryKeys;
        foreach (var (key, tensor) in weights)
        {
            if (ternary.Contains(key))
                Add(key, tensor);
            else
                packed.Add(key, tensor);
        }
        if (_config is { TieEmbeddings: true, TernaryHead: true })
            Add(HeadKey, weights[EmbeddingKey]);
        return packed;

        void Add(string key, Tensor weight) => (packed[key + CodesSuffix], packed[key + ScaleSuffix]) = TernaryPacking.Pack(weight);
    }

    public void CheckPacked(NamedTensors packed, string source)
    {
        var problems = new List<string>();
        foreach (var key in TernaryKeys)
        {
            if (TernaryPacking.HasUnknownCodes(packed[key + CodesSuffix]))
                problems.Add($"'{key + CodesSuffix}' has the code 3, which is no ternary weight.");
            var scale = packed[key + ScaleSuffix].to(ScalarType.Float32).item<float>();
            if (!(scale > 0 && float.IsFinite(scale)))
                problems.Add($"'{key + ScaleSuffix}' is {scale}; it must be positive.");
        }
        if (problems.Count > 0)
            throw new UserException($"The packed weights of {source} mean nothing:\n{string.Join('\n', problems.Select(p => "  " + p))}");
    }

    /// <summary>Keys of the ternary layers' weights.</summary>
    private IReadOnlySet<string> TernaryKeys => named_modules().Where(m => m.module is BitLinear).Select(m => m.name + ".weight").ToHashSet(StringComparer.Ordinal);
}
