using TorchSharp.Utils;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model;

/// <summary>A causal depthwise convolution with SiLU, under upstream's names.</summary>
internal sealed class CausalConvolution : nn.Module
{
    [ComponentName(Name = "conv")]
    private readonly Weights _conv;

    private readonly KernelChoice _kernels;

    public CausalConvolution(int dim, int width, KernelChoice kernels)
        : base(nameof(CausalConvolution))
    {
        _kernels = kernels;
        var bound = 1 / Math.Sqrt(width);
        _conv = new Weights("conv", empty(dim, 1, width).uniform_(-bound, bound), empty(dim).uniform_(-bound, bound));
        RegisterComponents();
    }

    public int Width => (int)_conv.Weight.size(2);

    /// <param name="x">[batch, time, dim].</param>
    /// <param name="inputs">The last inputs before, [batch, width, dim]; null for none.</param>
    /// <returns>[batch, time, dim], and the last inputs after.</returns>
    public (Tensor Y, Tensor Last) Forward(Tensor x, Tensor? inputs) =>
        CausalConv.Apply(x, _conv.Weight.squeeze(1), _conv.Bias, silu: true, inputs, _kernels);
}
