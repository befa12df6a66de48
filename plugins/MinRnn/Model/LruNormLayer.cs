using TorchSharp;
using TorchSharp.Modules;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>Flax's normalisations: of a step with epsilon 1e-6, or over batch and time with 1e-5 and running statistics.</summary>
internal sealed class LruNormLayer : nn.Module
{
    private const double LayerEpsilon = 1e-6;
    private const double BatchEpsilon = 1e-5;
    private const double Kept = 0.99;

    public readonly Parameter scale;
    public readonly Parameter bias;
    public readonly Tensor? mean;
    public readonly Tensor? var;
    private readonly KernelChoice _kernels;

    public LruNormLayer(LruConfig config, BuildContext context) : base(nameof(LruNormLayer))
    {
        _kernels = context.Kernels;
        scale = new Parameter(ones(config.ModelDim, device: context.Device));
        bias = new Parameter(zeros(config.ModelDim, device: context.Device));
        if (config.Norm == LruNorm.Batch)
        {
            mean = zeros(config.ModelDim, device: context.Device);
            var = ones(config.ModelDim, device: context.Device);
            register_buffer(nameof(mean), mean);
            register_buffer(nameof(var), var);
        }
        RegisterComponents();
    }

    /// <summary>Normalises x, or x + residual.</summary>
    /// <param name="x">[batch, time, dim].</param>
    /// <param name="residual">Of the same shape, or null.</param>
    /// <returns>[batch, time, dim].</returns>
    public Tensor Forward(Tensor x, Tensor? residual = null)
    {
        if (mean is not null)
            return OverBatch(residual is null ? x : x + residual);
        return residual is null
            ? Kernels.LayerNorm.Apply(x, scale, bias, LayerEpsilon, _kernels)
            : Kernels.LayerNorm.ApplyToSum(x, residual, scale, bias, LayerEpsilon, _kernels).Y;
    }

    /// <summary>Variances are divided by the count, in the running ones too.</summary>
    private Tensor OverBatch(Tensor x)
    {
        using var scope = NewDisposeScope();
        using Scalar epsilon = BatchEpsilon;
        var (centre, spread) = (mean!, var!);
        if (training)
        {
            centre = x.mean([0, 1]);
            spread = (x - centre).square().mean([0, 1]);
            using var noGrad = no_grad();
            using Scalar fresh = 1 - Kept;
            using Scalar kept = Kept;
            mean!.mul_(kept).add_(centre.detach(), fresh);
            var!.mul_(kept).add_(spread.detach(), fresh);
        }
        return ((x - centre) * spread.add(epsilon).rsqrt() * scale + bias).MoveToOuterDisposeScope();
    }
}
