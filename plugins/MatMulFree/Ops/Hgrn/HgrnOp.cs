using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Ops.Hgrn;

/// <summary>The recurrence of HGRN, h_t = g_t ⊙ h_{t-1} + x_t, in the layout [batch, head, time, dim].</summary>
/// <remarks>
/// Qin et al. 2023, eq. 3; Zhu et al. 2024, eq. 8. It is the contract's `linear_scan` on other axes, and runs on the backend that is chosen
/// for that. The original cuts the gradient into the initial state off; here it flows, as through any other input.
/// </remarks>
internal sealed class HgrnOp : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static HgrnOp Instance { get; } = new();

    public override string Name => "hgrn";

    public override string Title => "h = g · h + x over time in [batch, head, time, dim], on linear_scan";

    /// <summary>x and the decay g, [batch, head, time, dim]; initial_state, [batch, head, dim], zero where it is not given.</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
        [new("x", "B", "H", "L", "D"), new("g", "B", "H", "L", "D"), new("initial_state", "B", "H", "D") { Optional = true }];

    /// <summary>o, every state, [batch, head, time, dim]; final_state, [batch, head, dim].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["o", "final_state"];

    /// <summary>x and g are read and o written; backward reads g, o and the gradient of o and writes two.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = (double)call.Size("B") * call.Size("H") * call.Size("L") * call.Size("D");
        return backward ? new OpCost(Bytes: 32 * count, Flops: 5 * count) : new OpCost(Bytes: 12 * count, Flops: 2 * count);
    }

    /// <summary>Decays from 0 to 1; inputs from the standard normal distribution.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape) => argument.Name == "g" ? rand(shape) : base.Sample(argument, shape);

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) =>
        Reference(inputs, options, KernelChoice.Parse(KernelChoice.Reference));

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options, KernelChoice kernels)
    {
        using var scope = NewDisposeScope();
        var (x, g) = (inputs["x"], inputs["g"]);
        var (shape, initial) = (x.shape, inputs.Find("initial_state"));
        var (h, last) = LinearScan.Apply(g.flatten(0, 1), x.flatten(0, 1), initial?.flatten(0, 1), kernels);
        return new()
        {
            ["o"] = h.reshape(shape).MoveToOuterDisposeScope(),
            ["final_state"] = last.reshape(shape[0], shape[1], shape[3]).MoveToOuterDisposeScope(),
        };
    }
}
