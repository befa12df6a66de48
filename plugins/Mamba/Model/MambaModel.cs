using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Mamba.Model;

/// <summary>The language model: a backbone of Mamba blocks and a head, which is the embedding where they are tied.</summary>
internal sealed class MambaModel : TokenModel
{
    /// <summary>ε of every norm.</summary>
    public const double Epsilon = 1e-5;

    /// <summary>Up to so many rows the head is a matrix times a few vectors.</summary>
    private const int FewRows = 8;

    private const string EmbeddingKey = "backbone.embedding.weight", HeadKey = "lm_head.weight";

    [ComponentName(Name = "backbone")]
    private readonly MambaBackbone _backbone;

    [ComponentName(Name = "lm_head")]
    private readonly WeightAndBias? _head;

    private readonly MambaConfig _config;
    private readonly BuildContext _context;

    public MambaModel(MambaConfig config, BuildContext context)
        : base(nameof(MambaModel))
    {
        _config = config;
        _context = context;
        _backbone = new MambaBackbone(config, context);
        _head = config.TieEmbeddings ? null : WeightAndBias.Linear("lm_head", config.ModelDim, config.PaddedVocabSize, hasBias: false);
        RegisterComponents();
    }

    public override int VocabSize => _config.VocabSize;

    private Tensor HeadWeight => _head?.Weight ?? _backbone.Embedding;

    public override Tensor Hidden(Tensor ids) => _backbone.Forward(ids, null);

    public override Tensor Head(Tensor hidden)
    {
        var weight = HeadWeight;
        var rows = hidden.numel() / _config.ModelDim;
        var isExact = _context.Dtype != ScalarType.BFloat16 || weight.dtype == ScalarType.BFloat16;
        if (is_grad_enabled() || rows > FewRows || !isExact || hidden.dtype != ScalarType.Float32)
            return MixedPrecision.Linear(hidden, weight, null, _context.Dtype);
        using var scope = NewDisposeScope();
        var logits = MatrixVector.Apply(hidden.reshape(rows, _config.ModelDim), weight, null, _context.Kernels);
        return logits.reshape([.. hidden.shape[..^1], weight.size(0)]).MoveToOuterDisposeScope();
    }

    public override Tensor HeadLoss(Tensor hidden, Tensor targets) => _context.Dtype == ScalarType.BFloat16
        ? base.HeadLoss(hidden, targets)
        : CrossEntropy.Apply(hidden, HeadWeight, targets, null, _context.Kernels);

    public override ModelState NewState(int batch) => _backbone.NewState(batch);

    public override Tensor Hidden(Tensor ids, ModelState state) => _backbone.Forward(ids, (MambaState)state);

    public override Tensor Step(Tensor ids, ModelState state)
    {
        if (!is_grad_enabled())
            return _backbone.Step(ids, (MambaState)state);
        using var scope = NewDisposeScope();
        return _backbone.Forward(ids.unsqueeze(1), (MambaState)state).squeeze(1).MoveToOuterDisposeScope();
    }

    /// <summary>A, D and biases and norms without weight decay, as the original marks A and D.</summary>
    public override IReadOnlyList<ParameterGroup> ParameterGroups() =>
    [
        new([.. named_parameters().Select(p => p.name).Where(n => n.EndsWith(".A_log", StringComparison.Ordinal) || n.EndsWith(".D", StringComparison.Ordinal)
            || n.EndsWith(".bias", StringComparison.Ordinal) || n.Contains("norm", StringComparison.Ordinal))])
        {
            WeightDecay = 0,
        },
    ];

    public override bool IsFloat32Island(string parameterName) => parameterName.EndsWith(".A_log", StringComparison.Ordinal);

    public override IReadOnlyList<string> TiedKeys(string key) => _config.TieEmbeddings && key == EmbeddingKey ? [HeadKey] : [];
}
