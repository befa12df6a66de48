using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.MatMulFree.Ops.BitLinear;
using Zoo.MatMulFree.Ops.PackedBitLinear;
using Zoo.MatMulFree.Ops.TernaryMatmul;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Model;

/// <summary>
/// A ternary layer with its own norm: what the original calls FusedBitLinear, without a bias. Packed, it has the codes and the scale of its weight in
/// place of it.
/// </summary>
internal sealed class BitLinear : nn.Module
{
    [ComponentName(Name = "weight")]
    private readonly Parameter? _weight;

    [ComponentName(Name = "weight_codes")]
    private readonly Tensor? _codes;

    [ComponentName(Name = "weight_scale")]
    private readonly Tensor? _scale;

    [ComponentName(Name = "norm")]
    private readonly Weight _norm;

    private readonly Weight[] _owner = [];      // in an array, where it is not registered a second time
    private readonly BuildContext _context;

    /// <param name="name">For messages.</param>
    /// <param name="outputs">Rows of the weight.</param>
    /// <param name="inputs">Numbers of a row.</param>
    /// <param name="initialise">Fills the weight, or some rows of it, from the random generator.</param>
    /// <param name="context">Which backends are wanted, and whether it is packed.</param>
    public BitLinear(string name, long outputs, long inputs, Action<Tensor> initialise, BuildContext context)
        : base(name)
    {
        _context = context;
        _norm = Weight.Norm("norm", inputs);
        if (context.Packed)
        {
            (_codes, _scale) = PiecewiseInitial.Ternary(outputs, inputs, initialise);
        }
        else
        {
            var weight = empty(outputs, inputs);
            initialise(weight);
            _weight = new Parameter(weight);            // takes the tensor over
        }
        RegisterComponents();
    }

    /// <param name="name">For messages.</param>
    /// <param name="owner">Whose weight, [out, in], this layer uses, too; packed, it has codes of its own.</param>
    /// <param name="context">Which backends are wanted, and whether it is packed.</param>
    public BitLinear(string name, Weight owner, BuildContext context)
        : base(name)
    {
        _context = context;
        if (context.Packed)
            (_codes, _scale) = TernaryPacking.Pack(owner.Value);
        else
            _owner = [owner];
        _norm = Weight.Norm("norm", owner.Value.size(1));
        RegisterComponents();
    }

    /// <param name="x">[..., in].</param>
    /// <returns>[..., out].</returns>
    public Tensor Forward(Tensor x) => _codes is not null
        ? PackedBitLinearOp.Apply(x, _norm.Value, _codes, _scale!, _context.Kernels)
        : BitLinearOp.Apply(x, _norm.Value, _weight ?? _owner[0].Value, _context.Kernels);

    /// <summary>A packed layer's memory, which must be alive while it is used.</summary>
    public unsafe PackedMatrix Packed => new()
    {
        Codes = (byte*)KernelArray.Of(_codes!).Pointer,
        Scale = *KernelArray.Of(_scale!).Float32,
        Norm = KernelArray.Of(_norm.Value).Float32,
        Rows = (int)_codes!.size(0),
        Dim = (int)_norm.Value.size(0),
    };
}
