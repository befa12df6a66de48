using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>Attention, then a gated feed-forward part; a norm before each, and each added to the residual stream.</summary>
internal sealed class LlamaBlock : nn.Module
{
    [ComponentName(Name = "input_layernorm")]
    private readonly NormLayer _firstNorm;

    [ComponentName(Name = "self_attn")]
    private readonly AttentionPart _attention;

    [ComponentName(Name = "post_attention_layernorm")]
    private readonly NormLayer _secondNorm;

    [ComponentName(Name = "mlp")]
    private readonly FeedForwardPart _feedForward;

    public LlamaBlock(LlamaConfig config, BuildContext context) : base(nameof(LlamaBlock))
    {
        _firstNorm = new NormLayer(config.ModelDim, centre: false, hasBias: false, config.NormEpsilon, context.Kernels);
        _attention = new AttentionPart(config, context);
        _secondNorm = new NormLayer(config.ModelDim, centre: false, hasBias: false, config.NormEpsilon, context.Kernels);
        _feedForward = new FeedForwardPart(config, context);
        RegisterComponents();
    }

    /// <summary>Runs the block. What its last branch gives is not yet added to the stream: the next norm does that.</summary>
    /// <param name="branch">What the last block's branch gave, [batch, time, dim]; null in the first block.</param>
    /// <param name="stream">[batch, time, dim].</param>
    /// <param name="cos">Cosines of the rotary angles, [time, head dim / 2].</param>
    /// <param name="sin">Their sines.</param>
    /// <param name="cache">Of this layer; null where nothing is remembered.</param>
    /// <param name="dropout">Of attention weights; null outside training.</param>
    public (Tensor Branch, Tensor Stream) Run(Tensor? branch, Tensor stream, Tensor cos, Tensor sin, ILayerCache? cache, DropoutMask? dropout)
    {
        (var normed, stream) = _firstNorm.OfSum(branch, stream);
        (normed, stream) = _secondNorm.OfSum(_attention.Run(normed, cos, sin, cache, dropout), stream);
        return (_feedForward.Run(normed), stream);
    }

    private sealed class AttentionPart : nn.Module
    {
        [ComponentName(Name = "q_proj")]
        private readonly LinearLayer _query;

        [ComponentName(Name = "k_proj")]
        private readonly LinearLayer _key;

        [ComponentName(Name = "v_proj")]
        private readonly LinearLayer _value;

        [ComponentName(Name = "o_proj")]
        private readonly LinearLayer _output;

        private readonly AttentionHeads _heads;
        private readonly KernelChoice _kernels;
        private readonly int _headDim;

        public AttentionPart(LlamaConfig config, BuildContext context) : base(nameof(AttentionPart))
        {
            _headDim = config.HeadDim;
            var (dim, queries, keys) = (config.ModelDim, config.HeadCount * _headDim, config.KeyHeadCount * _headDim);
            _query = New(dim, queries);
            _key = New(dim, keys);
            _value = New(dim, keys);
            _output = New(queries, dim);
            _heads = new AttentionHeads(config, context.Kernels);
            _kernels = context.Kernels;
            RegisterComponents();

            LinearLayer New(int from, int to) => new(from, to, config.AttentionBias, config.InitialSpread, context);
        }

        public Tensor Run(Tensor x, Tensor cos, Tensor sin, ILayerCache? cache, DropoutMask? dropout)
        {
            var q = Rope.Apply(Heads(_query), cos, sin, _kernels);
            var k = Rope.Apply(Heads(_key), cos, sin, _kernels);
            return _output.forward(_heads.Attend(q, k, Heads(_value), dropout, cache));

            Tensor Heads(LinearLayer layer) => layer.forward(x).unflatten(2, [-1, _headDim]);        // [batch, time, head, dim]
        }
    }

    private sealed class FeedForwardPart : nn.Module
    {
        [ComponentName(Name = "gate_proj")]
        private readonly LinearLayer _gate;

        [ComponentName(Name = "up_proj")]
        private readonly LinearLayer _up;

        [ComponentName(Name = "down_proj")]
        private readonly LinearLayer _down;

        private readonly KernelChoice _kernels;

        public FeedForwardPart(LlamaConfig config, BuildContext context) : base(nameof(FeedForwardPart))
        {
            _gate = New(config.ModelDim, config.IntermediateSize);
            _up = New(config.ModelDim, config.IntermediateSize);
            _down = New(config.IntermediateSize, config.ModelDim);
            _kernels = context.Kernels;
            RegisterComponents();

            LinearLayer New(int from, int to) => new(from, to, config.MlpBias, config.InitialSpread, context);
        }

        public Tensor Run(Tensor x) => _down.forward(SwiGlu.Apply(_gate.forward(x), _up.forward(x), _kernels));
    }
}
