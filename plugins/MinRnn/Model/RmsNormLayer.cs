using TorchSharp.Modules;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>Root-mean-square normalisation with the epsilon that PyTorch's layer has when none is given: float32's.</summary>
internal sealed class RmsNormLayer : nn.Module
{
    private const double Epsilon = 1.1920928955078125e-07;

    public readonly Parameter weight;
    private readonly KernelChoice _kernels;

    public RmsNormLayer(long dim, BuildContext context) : base(nameof(RmsNormLayer))
    {
        _kernels = context.Kernels;
        weight = new Parameter(ones(dim, device: context.Device));
        RegisterComponents();
    }

    /// <summary>Normalises the residual stream, with what is still to be added to it.</summary>
    /// <param name="stream">[batch, time, dim].</param>
    /// <param name="addend">The last layer's output, [batch, time, dim]; null where there is none.</param>
    /// <returns>The normalised sum, and the sum.</returns>
    public (Tensor Normalised, Tensor Stream) Forward(Tensor stream, Tensor? addend) => addend is null
        ? (RmsNorm.Apply(stream, weight, Epsilon, _kernels), stream)
        : RmsNorm.ApplyToSum(addend, stream, weight, Epsilon, _kernels);
}
