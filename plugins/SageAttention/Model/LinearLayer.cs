using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>x Wᵀ + b, in the arithmetic of the run.</summary>
internal sealed class LinearLayer : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter? _bias;

    private readonly ScalarType _arithmetic;
    private readonly KernelChoice _kernels;

    /// <param name="input">Width of the input.</param>
    /// <param name="output">Width of the output.</param>
    /// <param name="hasBias">Whether there is a bias; it starts at zero.</param>
    /// <param name="spread">Standard deviation of the initial weights.</param>
    /// <param name="context">Arithmetic and backends of the run.</param>
    public LinearLayer(long input, long output, bool hasBias, double spread, BuildContext context) : base(nameof(LinearLayer))
    {
        _weight = new Parameter(empty(output, input).normal_(0, spread));
        _bias = hasBias ? new Parameter(zeros(output)) : null;
        (_arithmetic, _kernels) = (context.Dtype, context.Kernels);
        RegisterComponents();
    }

    /// <summary>W, [out, in].</summary>
    public Parameter Weight => _weight;

    /// <summary>b, [out]; null where there is none.</summary>
    public Parameter? Bias => _bias;

    /// <summary>[..., in] to [..., out].</summary>
    public override Tensor forward(Tensor x) => MixedPrecision.Linear(x, _weight, _bias, _arithmetic, _kernels);

    /// <summary>Equal parts of the output, each a tensor of its own.</summary>
    public Tensor[] Parts(Tensor x, int count) => MixedPrecision.LinearParts(x, _weight, _bias, count, _arithmetic, _kernels);
}
