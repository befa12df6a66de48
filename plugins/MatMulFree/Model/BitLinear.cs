using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.MatMulFree.Ops.BitLinear;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Model;

/// <summary>A ternary layer with its own norm: what the original calls FusedBitLinear, without a bias.</summary>
internal sealed class BitLinear : nn.Module
{
    [ComponentName(Name = "weight")]
    private readonly Parameter? _weight;

    [ComponentName(Name = "norm")]
    private readonly Weight _norm;

    private readonly Weight[] _owner = [];      // in an array, where it is not registered a second time
    private readonly BuildContext _context;

    /// <param name="name">For messages.</param>
    /// <param name="weight">[out, in], initialised.</param>
    /// <param name="context">Which backends are wanted.</param>
    public BitLinear(string name, Tensor weight, BuildContext context)
        : base(name)
    {
        _context = context;
        _norm = Weight.Norm("norm", weight.size(1));
        _weight = new Parameter(weight);            // takes the tensor over
        RegisterComponents();
    }

    /// <param name="name">For messages.</param>
    /// <param name="owner">Whose weight, [out, in], this layer uses, too.</param>
    /// <param name="context">Which backends are wanted.</param>
    public BitLinear(string name, Weight owner, BuildContext context)
        : base(name)
    {
        _context = context;
        _owner = [owner];
        _norm = Weight.Norm("norm", owner.Value.size(1));
        RegisterComponents();
    }

    /// <summary>[out, in].</summary>
    public Tensor Value => _weight ?? _owner[0].Value;

    /// <summary>The norm's weight, [in].</summary>
    public Tensor Norm => _norm.Value;

    /// <param name="x">[..., in].</param>
    /// <returns>[..., out].</returns>
    public Tensor Forward(Tensor x) => BitLinearOp.Apply(x, Norm, Value, _context.Kernels);
}
