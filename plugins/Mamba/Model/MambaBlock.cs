using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Mamba.Model;

/// <summary>A block: what came before is added to the residual stream, normalised, and mixed.</summary>
internal sealed class MambaBlock : nn.Module
{
    [ComponentName(Name = "mixer")]
    private readonly MambaMixer _mixer;

    [ComponentName(Name = "norm")]
    private readonly WeightAndBias _norm;

    private readonly BuildContext _context;
    private readonly bool _isRms;

    public MambaBlock(MambaConfig config, BuildContext context)
        : base(nameof(MambaBlock))
    {
        _context = context;
        _isRms = config.RmsNorm;
        _mixer = new MambaMixer(config, context);
        _norm = WeightAndBias.Norm("norm", config.ModelDim, hasBias: !_isRms);
        RegisterComponents();
    }

    public MambaMixer Mixer => _mixer;

    public WeightAndBias Norm => _norm;

    public bool IsRms => _isRms;

    public KernelChoice Kernels => _context.Kernels;

    /// <summary>A state with nothing before it.</summary>
    public MambaLayerState NewState(int batch)
    {
        using var noGradient = no_grad();
        var a = _mixer.NegativeA().DetachFromDisposeScope();
        var (channels, width) = (a.size(0), _mixer.ConvWeight.size(1));
        return new MambaLayerState(
            zeros([batch, width, channels], a.dtype, a.device).DetachFromDisposeScope(),
            zeros([batch, channels, a.size(1)], a.dtype, a.device).DetachFromDisposeScope(), a);
    }

    /// <param name="hidden">The previous block's output, or the embedding, [batch, time, dim].</param>
    /// <param name="residual">The residual stream without it; null before the first block.</param>
    /// <param name="state">Changed to the final one; null for none.</param>
    /// <returns>The mixer's output and the residual stream without it.</returns>
    public (Tensor Hidden, Tensor Residual) Forward(Tensor hidden, Tensor? residual, MambaLayerState? state)
    {
        var (normed, sum) = Normalise(hidden, residual, _norm, _isRms, _context.Kernels);
        return (_mixer.Forward(normed, state), sum);
    }

    /// <summary>The same for one token a sequence, [batch, dim], where the step's kernel does not have it.</summary>
    public (Tensor Hidden, Tensor Residual) Step(Tensor hidden, Tensor? residual, MambaLayerState state)
    {
        var (wide, stream) = Forward(hidden.unsqueeze(1), residual?.unsqueeze(1), state);
        return (wide.squeeze(1), stream.squeeze(1));
    }

    /// <summary>The norm of hidden + residual, and that sum.</summary>
    internal static (Tensor Normed, Tensor Sum) Normalise(Tensor hidden, Tensor? residual, WeightAndBias norm, bool isRms, KernelChoice kernels)
    {
        if (residual is null)
        {
            return (isRms ? RmsNorm.Apply(hidden, norm.Weight, MambaModel.Epsilon, kernels)
                : LayerNorm.Apply(hidden, norm.Weight, norm.Bias, MambaModel.Epsilon, kernels), hidden);
        }
        return isRms ? RmsNorm.ApplyToSum(hidden, residual, norm.Weight, MambaModel.Epsilon, kernels)
            : LayerNorm.ApplyToSum(hidden, residual, norm.Weight, norm.Bias, MambaModel.Epsilon, kernels);
    }
}
