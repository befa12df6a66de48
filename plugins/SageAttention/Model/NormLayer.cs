using TorchSharp.Utils;
using Zoo.Kernels;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;   // not all of that namespace: it has a LayerNorm of its own

namespace Zoo.SageAttention;

/// <summary>LayerNorm or RMSNorm of the residual stream, to which what the last branch gave is added first.</summary>
internal sealed class NormLayer : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter? _bias;

    private readonly bool _centre;
    private readonly double _epsilon;
    private readonly KernelChoice _kernels;

    /// <param name="dim">Width.</param>
    /// <param name="centre">LayerNorm, which takes the mean off; else RMSNorm.</param>
    /// <param name="hasBias">Whether there is a bias; LayerNorm only.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="kernels">Which backend is wanted.</param>
    public NormLayer(long dim, bool centre, bool hasBias, double epsilon, KernelChoice kernels) : base(nameof(NormLayer))
    {
        _weight = new Parameter(ones(dim));
        _bias = hasBias ? new Parameter(zeros(dim)) : null;
        (_centre, _epsilon, _kernels) = (centre, epsilon, kernels);
        RegisterComponents();
    }

    /// <summary>Of the stream as it is.</summary>
    public override Tensor forward(Tensor stream) => _centre
        ? LayerNorm.Apply(stream, _weight, _bias, _epsilon, _kernels)
        : RmsNorm.Apply(stream, _weight, _epsilon, _kernels);

    /// <summary>Of the stream with a branch's output added.</summary>
    /// <param name="branch">[batch, time, dim]; null where there is none yet.</param>
    /// <param name="stream">[batch, time, dim].</param>
    /// <returns>The normalised sum, and the sum.</returns>
    public (Tensor Normed, Tensor Stream) OfSum(Tensor? branch, Tensor stream)
    {
        if (branch is null)
            return (forward(stream), stream);
        return _centre
            ? LayerNorm.ApplyToSum(branch, stream, _weight, _bias, _epsilon, _kernels)
            : RmsNorm.ApplyToSum(branch, stream, _weight, _epsilon, _kernels);
    }
}
