using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model;

/// <summary>Layer normalisation whose weight is stored less one, so that it starts, and decays, at zero.</summary>
internal sealed class OffsetNorm : nn.Module
{
    /// <summary>ε of every norm.</summary>
    public const double Epsilon = 1e-5;

    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    private readonly KernelChoice _kernels;

    public OffsetNorm(string name, int dim, KernelChoice kernels)
        : base(name)
    {
        _weight = new Parameter(zeros(dim));
        _kernels = kernels;
        RegisterComponents();
    }

    /// <summary>The stored weight, without the one.</summary>
    public Tensor Weight => _weight;

    /// <param name="x">[..., dim].</param>
    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        using Scalar one = 1;
        return Kernels.LayerNorm.Apply(x, _weight + one, null, Epsilon, _kernels).MoveToOuterDisposeScope();
    }

    /// <summary>Of x + residual, and that sum.</summary>
    public (Tensor Normed, Tensor Sum) Forward(Tensor x, Tensor? residual)
    {
        if (residual is null)
            return (Forward(x), x);
        using var scope = NewDisposeScope();
        using Scalar one = 1;
        var (y, sum) = Kernels.LayerNorm.ApplyToSum(x, residual, _weight + one, null, Epsilon, _kernels);
        return (y.MoveToOuterDisposeScope(), sum.MoveToOuterDisposeScope());
    }
}
