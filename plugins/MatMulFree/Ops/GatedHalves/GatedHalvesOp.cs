using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Ops.GatedHalves;

/// <summary>The gated linear unit on one row that holds gate and value: y = silu(x[..dim]) ⊙ x[dim..].</summary>
/// <remarks>
/// Zhu et al. 2024, eq. 12. The channel mixer has both in one product, because its ternary weights have one scale; cut apart in tensor code, either
/// half would be copied, and backward would put their gradients together again.
/// </remarks>
internal sealed class GatedHalvesOp : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static GatedHalvesOp Instance { get; } = new();

    public override string Name => "swiglu_halves";

    public override string Title => "Gated linear unit of the two halves of a row: silu(first) · second";

    /// <summary>x, [batch, time, 2 · dim].</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } = [new("x", "B", "L", "E")];

    /// <summary>y, [batch, time, dim].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new GatedHalvesCpu(), new GatedHalvesCuda()];

    /// <summary>Gates.</summary>
    /// <param name="x">[batch, time, 2 · dim].</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <returns>[batch, time, dim].</returns>
    public static Tensor Apply(Tensor x, KernelChoice kernels) => Instance.Invoke(new() { ["x"] = x }, OpOptions.None, kernels).Outputs["y"];

    /// <summary>A row is read, half of one written; backward reads one and a half and writes one. An exponential for each number of y each way.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = (double)call.Size("B") * call.Size("L") * call.Size("E") / 2;
        return backward
            ? new OpCost(Bytes: 32 * count, Flops: 14 * count, Exponentials: 2 * count)
            : new OpCost(Bytes: 12 * count, Flops: 4 * count, Exponentials: count);
    }

    /// <summary>An even width.</summary>
    public override long? ExampleSize(string axis) => axis == "E" ? 6 : null;

    protected override void Check(OpCall call)
    {
        if (call.Size("E") % 2 != 0)
            throw new ShapeException($"{Name}: 'x' is {Shape.Describe(call.Inputs["x"].shape)}; its last axis must be even.");
    }

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var halves = inputs["x"].chunk(2, dim: -1);
        return new() { ["y"] = (nn.functional.silu(halves[0]) * halves[1]).MoveToOuterDisposeScope() };
    }

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("y", call.Size("B"), call.Size("L"), call.Size("E") / 2)];
}
