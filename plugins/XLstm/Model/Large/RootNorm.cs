using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model.Large;

/// <summary>Root-mean-square normalisation under upstream's names.</summary>
internal sealed class RootNorm : nn.Module
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter? _bias;

    private readonly double _epsilon;
    private readonly BuildContext _context;

    public RootNorm(string name, XLstmLargeConfig config, BuildContext context)
        : base(name)
    {
        _weight = new Parameter(ones(config.ModelDim));
        _bias = config.Bias ? new Parameter(zeros(config.ModelDim)) : null;
        _epsilon = config.NormEpsilon;
        _context = context;
        RegisterComponents();
    }

    /// <summary>The norm of x + residual, and that sum; of x where there is no residual.</summary>
    public (Tensor Normed, Tensor Sum) Forward(Tensor x, Tensor? residual)
    {
        var (normed, sum) = residual is null
            ? (Kernels.RmsNorm.Apply(x, _weight, _epsilon, _context.Kernels), x)
            : Kernels.RmsNorm.ApplyToSum(x, residual, _weight, _epsilon, _context.Kernels);
        return (_bias is null ? normed : normed + _bias, sum);
    }
}
