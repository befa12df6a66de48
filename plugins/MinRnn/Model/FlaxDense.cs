using TorchSharp.Modules;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>x W + b with W as [in, out], as Flax keeps and initialises it.</summary>
internal sealed class FlaxDense : nn.Module<Tensor, Tensor>
{
    /// <summary>Standard deviation of a standard normal distribution cut off at two.</summary>
    private const double CutDeviation = 0.87962566103423978;

    /// <summary>Share of the standard normal distribution between the cuts.</summary>
    private const double WithinCut = 0.95449973610364158;

    public readonly Parameter kernel;
    public readonly Parameter bias;
    private readonly ScalarType _arithmetic;
    private readonly KernelChoice _kernels;

    public FlaxDense(long from, long to, BuildContext context) : base(nameof(FlaxDense))
    {
        (_arithmetic, _kernels) = (context.Dtype, context.Kernels);
        var deviation = Math.Sqrt(1.0 / from) / CutDeviation;  // LeCun's
        using TorchSharp.Scalar scale = Math.Sqrt(2) * deviation;
        // The inverse of the normal distribution's integral, between both cuts: TorchSharp's own trunc_normal_ fills with one number.
        var drawn = empty(from, to).uniform_(-WithinCut, WithinCut).erfinv_().mul_(scale);
        kernel = new Parameter(drawn.to(context.Device));
        bias = new Parameter(zeros(to, device: context.Device));
        RegisterComponents();
    }

    /// <param name="x">[..., from].</param>
    /// <returns>[..., to].</returns>
    public override Tensor forward(Tensor x) => MixedPrecision.Linear(x, kernel.t(), bias, _arithmetic, _kernels);
}
