using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>Attention, then two linear layers with GELU between; a norm before each, and each added to the residual stream.</summary>
internal sealed class NanoGptBlock : nn.Module
{
    /// <summary>Standard deviation of the initial matrices.</summary>
    public const double Spread = 0.02;

    /// <summary>LayerNorm's ε.</summary>
    public const double Epsilon = 1e-5;

    [ComponentName(Name = "ln_1")]
    private readonly NormLayer _firstNorm;

    [ComponentName(Name = "attn")]
    private readonly AttentionPart _attention;

    [ComponentName(Name = "ln_2")]
    private readonly NormLayer _secondNorm;

    [ComponentName(Name = "mlp")]
    private readonly FeedForwardPart _feedForward;

    public NanoGptBlock(NanoGptConfig config, BuildContext context) : base(nameof(NanoGptBlock))
    {
        _firstNorm = new NormLayer(config.ModelDim, centre: true, config.HasBias, Epsilon, context.Kernels);
        _attention = new AttentionPart(config, context);
        _secondNorm = new NormLayer(config.ModelDim, centre: true, config.HasBias, Epsilon, context.Kernels);
        _feedForward = new FeedForwardPart(config, context);
        RegisterComponents();
    }

    /// <summary>Runs the block. What its last branch gives is not yet added to the stream: the next norm does that.</summary>
    /// <param name="branch">What the last block's branch gave, [batch, time, dim]; null in the first block.</param>
    /// <param name="stream">[batch, time, dim].</param>
    /// <param name="cache">Of this layer; null where nothing is remembered.</param>
    /// <param name="dropout">Null outside training.</param>
    public (Tensor Branch, Tensor Stream) Run(Tensor? branch, Tensor stream, ILayerCache? cache, DropoutMask? dropout)
    {
        (var normed, stream) = _firstNorm.OfSum(branch, stream);
        (normed, stream) = _secondNorm.OfSum(Drop(_attention.Run(normed, cache, dropout), dropout), stream);
        return (Drop(_feedForward.Run(normed), dropout), stream);
    }

    private static Tensor Drop(Tensor x, DropoutMask? dropout) => dropout is null ? x : dropout.Drop(x);

    /// <summary>The spread of matrices whose output is added to the stream: the more there are, the smaller.</summary>
    private static double ResidualSpread(NanoGptConfig config) => Spread / Math.Sqrt(2 * config.LayerCount);

    private sealed class AttentionPart : nn.Module
    {
        [ComponentName(Name = "c_attn")]
        private readonly LinearLayer _queryKeyValue;

        [ComponentName(Name = "c_proj")]
        private readonly LinearLayer _output;

        private readonly AttentionHeads _heads;
        private readonly int _headCount;
        private readonly int _headDim;

        public AttentionPart(NanoGptConfig config, BuildContext context) : base(nameof(AttentionPart))
        {
            var dim = config.ModelDim;
            _queryKeyValue = new LinearLayer(dim, 3 * dim, config.HasBias, Spread, context);
            _output = new LinearLayer(dim, dim, config.HasBias, ResidualSpread(config), context);
            _heads = new AttentionHeads(config, context.Kernels);
            (_headCount, _headDim) = (config.HeadCount, config.HeadDim);
            RegisterComponents();
        }

        public Tensor Run(Tensor x, ILayerCache? cache, DropoutMask? dropout)
        {
            var parts = _queryKeyValue.Parts(x, 3);
            return _output.forward(_heads.Attend(Heads(0), Heads(1), Heads(2), dropout, cache));

            Tensor Heads(int part) => parts[part].unflatten(2, [_headCount, _headDim]);     // [batch, time, head, dim]
        }
    }

    private sealed class FeedForwardPart : nn.Module
    {
        [ComponentName(Name = "c_fc")]
        private readonly LinearLayer _input;

        [ComponentName(Name = "c_proj")]
        private readonly LinearLayer _output;

        private readonly bool _byTanh;
        private readonly BuildContext _context;

        public FeedForwardPart(NanoGptConfig config, BuildContext context) : base(nameof(FeedForwardPart))
        {
            _input = new LinearLayer(config.ModelDim, 4 * config.ModelDim, config.HasBias, Spread, context);
            _output = new LinearLayer(4 * config.ModelDim, config.ModelDim, config.HasBias, ResidualSpread(config), context);
            (_byTanh, _context) = (config.HasTanhGelu, context);
            RegisterComponents();
        }

        public Tensor Run(Tensor x) => MixedPrecision.GeluMlp(
            x, _input.Weight, _input.Bias, _output.Weight, _output.Bias, _byTanh, _context.Dtype, _context.Kernels);
    }
}
