using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.MatMulFree.Ops.GatedHalves;
using Zoo.MatMulFree.Ops.Step;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Model;

/// <summary>The channel mixer: a gated linear unit of ternary layers. Gate and value come from one weight, which has one scale.</summary>
/// <remarks>Zhu et al. 2024, section 3.3; HGRNBitMLP in the published code.</remarks>
internal sealed class ChannelMixer : nn.Module
{
    [ComponentName(Name = "gate_proj")]
    private readonly BitLinear _gate;

    [ComponentName(Name = "down_proj")]
    private readonly BitLinear _down;

    private readonly BuildContext _context;

    public ChannelMixer(MatMulFreeConfig config, BuildContext context)
        : base(nameof(ChannelMixer))
    {
        _context = context;
        int dim = config.ModelDim, inner = config.IntermediateDim;
        _gate = new BitLinear("gate_proj", 2 * inner, dim, w => w.normal_(0, config.InitialSpread), context);
        // GPT-2's scaling of what enters the residual stream, two branches a block.
        _down = new BitLinear("down_proj", dim, inner, w => w.normal_(0, config.InitialSpread / Math.Sqrt(2 * config.LayerCount)), context);
        RegisterComponents();
    }

    /// <summary>Adds what a step on packed weights needs.</summary>
    public void Describe(ref StepLayer layer) => (layer.Up, layer.Down) = (_gate.Packed, _down.Packed);

    /// <param name="x">[batch, time, dim].</param>
    /// <returns>[batch, time, dim].</returns>
    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return _down.Forward(GatedHalvesOp.Apply(_gate.Forward(x), _context.Kernels)).MoveToOuterDisposeScope();
    }
}
