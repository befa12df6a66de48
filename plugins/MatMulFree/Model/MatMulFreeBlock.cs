using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.MatMulFree.Ops.Step;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Model;

/// <summary>A block: token mixer and channel mixer, each after a norm of the residual stream.</summary>
internal sealed class MatMulFreeBlock : nn.Module
{
    [ComponentName(Name = "attn_norm")]
    private readonly Weight _mixerNorm;

    [ComponentName(Name = "attn")]
    private readonly TokenMixer _mixer;

    [ComponentName(Name = "mlp_norm")]
    private readonly Weight _channelNorm;

    [ComponentName(Name = "mlp")]
    private readonly ChannelMixer _channels;

    private readonly double _epsilon;
    private readonly BuildContext _context;

    public MatMulFreeBlock(MatMulFreeConfig config, BuildContext context)
        : base(nameof(MatMulFreeBlock))
    {
        (_epsilon, _context) = (config.NormEpsilon, context);
        _mixerNorm = Weight.Norm("attn_norm", config.ModelDim);
        _mixer = new TokenMixer(config, context);
        _channelNorm = Weight.Norm("mlp_norm", config.ModelDim);
        _channels = new ChannelMixer(config, context);
        RegisterComponents();
    }

    /// <summary>A state with nothing before it.</summary>
    public MixerState NewState(int batch) => _mixer.NewState(batch);

    /// <param name="hidden">What the block before added to the residual stream, or the embedding, [batch, time, dim].</param>
    /// <param name="residual">The residual stream without it; null before the first block.</param>
    /// <param name="lowerBound">Of the forget gates, [inner dim]; null for none.</param>
    /// <param name="state">Changed to the final one; null for none.</param>
    /// <returns>What this block's channel mixer adds, and the residual stream without it.</returns>
    public (Tensor Hidden, Tensor Residual) Forward(Tensor hidden, Tensor? residual, Tensor? lowerBound, MixerState? state)
    {
        using var scope = NewDisposeScope();
        var (normed, stream) = Normalise(hidden, residual, _mixerNorm, _epsilon, _context.Kernels);
        (normed, stream) = Normalise(_mixer.Forward(normed, lowerBound, state), stream, _channelNorm, _epsilon, _context.Kernels);
        return (_channels.Forward(normed).MoveToOuterDisposeScope(), stream.MoveToOuterDisposeScope());
    }

    /// <summary>What a step on packed weights needs of this block; its state and bound are the caller's.</summary>
    public unsafe StepLayer Describe()
    {
        var layer = new StepLayer { MixerNorm = KernelArray.Of(_mixerNorm.Value).Float32, ChannelNorm = KernelArray.Of(_channelNorm.Value).Float32 };
        _mixer.Describe(ref layer);
        _channels.Describe(ref layer);
        return layer;
    }

    /// <summary>The norm of hidden + residual, and that sum.</summary>
    internal static (Tensor Normed, Tensor Sum) Normalise(Tensor hidden, Tensor? residual, Weight norm, double epsilon, KernelChoice kernels) =>
        residual is null ? (RmsNorm.Apply(hidden, norm.Value, epsilon, kernels), hidden)
            : RmsNorm.ApplyToSum(hidden, residual, norm.Value, epsilon, kernels);
}
