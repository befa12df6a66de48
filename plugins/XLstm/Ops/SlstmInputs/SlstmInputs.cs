using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.XLstm.Ops.SlstmInputs;

/// <summary>What an sLSTM layer makes before its recurrence: the four gates by weights within each head.</summary>
/// <remarks>
/// Beck et al. 2024, figure 9: input and forget gate see the convolved input, value and output gate the plain one. README.md beside this file has the maths and
/// the measurements.
/// </remarks>
public sealed class SlstmInputs : Op
{
    /// <summary>Gates, in the order i, f, z, o.</summary>
    internal const int GateCount = 4;

    // Heads that are wider are large enough for libtorch's product, which copies what it multiplies.
    private const int MostDim = 128;

    /// <summary>The op; it holds no state.</summary>
    public static SlstmInputs Instance { get; } = new();

    private SlstmInputs()
    {
    }

    /// <inheritdoc/>
    public override string Name => "slstm_inputs";

    /// <inheritdoc/>
    public override string Title => "sLSTM's four gates by weights within each head";

    /// <summary>conv and x, [batch, time, head · dim]; wi and wf, of conv, wz and wo, of x, each [head, dim, dim].</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("wi", "H", "D", "D"), new("wf", "H", "D", "D"), new("wz", "H", "D", "D"), new("wo", "H", "D", "D"),
        new("conv", "B", "L", "H*D"), new("x", "B", "L", "H*D"),
    ];

    /// <summary>gates, [batch, time, 4 · head · dim], in the order i, f, z, o.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["gates"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new SlstmInputsCpu()];

    /// <summary>Runs it, or libtorch's products where heads are wider than 128.</summary>
    /// <param name="conv">[batch, time, head · dim].</param>
    /// <param name="x">[batch, time, head · dim].</param>
    /// <param name="weights">Of i, f, z and o, each [head, dim, dim].</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <returns>[batch, time, 4 · head · dim].</returns>
    public static Tensor Apply(Tensor conv, Tensor x, (Tensor I, Tensor F, Tensor Z, Tensor O) weights, KernelChoice kernels)
    {
        var inputs = new NamedTensors { ["wi"] = weights.I, ["wf"] = weights.F, ["wz"] = weights.Z, ["wo"] = weights.O, ["conv"] = conv, ["x"] = x };
        return weights.I.size(2) > MostDim ? Gates(inputs) : Instance.Invoke(inputs, OpOptions.None, kernels).Outputs["gates"];
    }

    /// <summary>conv and x are read and the gates written; backward reads these and the gates' gradients and writes two.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = (double)call.Size("B") * call.Size("L") * call.Size("H") * call.Size("D");
        var flops = count * 2 * GateCount * call.Size("D");
        return backward ? new(Bytes: 4 * count * 14, Flops: 3 * flops) : new(Bytes: 4 * count * 6, Flops: flops);
    }

    /// <summary>Weights of a size that keeps what they multiply.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape)
    {
        if (argument.Name[0] != 'w')
            return base.Sample(argument, shape);
        using Scalar scale = 1 / Math.Sqrt(Math.Max(1, shape[^1]));
        return randn(shape).mul_(scale);
    }

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => new() { ["gates"] = Gates(inputs) };

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) =>
        [new("gates", call.Size("B"), call.Size("L"), GateCount * call.Size("H") * call.Size("D"))];

    private static Tensor Gates(NamedTensors inputs)
    {
        using var scope = NewDisposeScope();
        return cat([Pair("conv", "wi", "wf"), Pair("x", "wz", "wo")], 2).flatten(2).MoveToOuterDisposeScope();

        // Two gates, [batch, time, 2, head, dim].
        Tensor Pair(string source, string first, string second)
        {
            var (x, weights) = (inputs[source], stack([inputs[first], inputs[second]]));                          // [2, head, out, in]
            return einsum("blhd,ghed->blghe", x.view(x.size(0), x.size(1), weights.size(1), weights.size(3)), weights);
        }
    }
}
