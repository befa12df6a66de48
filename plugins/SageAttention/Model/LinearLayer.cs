using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
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

    /// <param name="input">Width of the input.</param>
    /// <param name="output">Width of the output.</param>
    /// <param name="hasBias">Whether there is a bias; it starts at zero.</param>
    /// <param name="spread">Standard deviation of the initial weights.</param>
    /// <param name="arithmetic">That of the run.</param>
    public LinearLayer(long input, long output, bool hasBias, double spread, ScalarType arithmetic) : base(nameof(LinearLayer))
    {
        _weight = new Parameter(empty(output, input).normal_(0, spread));
        _bias = hasBias ? new Parameter(zeros(output)) : null;
        _arithmetic = arithmetic;
        RegisterComponents();
    }

    /// <summary>W, [out, in].</summary>
    public Parameter Weight => _weight;

    /// <summary>[..., in] to [..., out].</summary>
    public override Tensor forward(Tensor x) => MixedPrecision.Linear(x, _weight, _bias, _arithmetic);

    /// <summary>
    /// One of <paramref name="count"/> equal parts of the output, by a product of its own: so neither has it to be cut out of a wider tensor, nor
    /// its gradient to be put into one.
    /// </summary>
    public Tensor Part(Tensor x, int part, int count)
    {
        using var scope = NewDisposeScope();
        var rows = _weight.shape[0] / count;
        return MixedPrecision.Linear(x, _weight.narrow(0, part * rows, rows), _bias?.narrow(0, part * rows, rows), _arithmetic).MoveToOuterDisposeScope();
    }
}
