using System.Text.Json.Nodes;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>What both layouts of the selective scan share: arguments, checks, floor, and the definition.</summary>
/// <param name="timeLast">Whether time is the last axis, or the one after the batch.</param>
internal abstract class SelectiveScanOp(bool timeLast) : Op
{
    /// <summary>The option that the model always sets.</summary>
    protected static OpOptions WithSoftplus { get; } = new(new JsonObject { ["delta_softplus"] = true });

    /// <summary>
    /// u, delta and z over batch B, channels D and time L; A [D, N]; B and C over batch, states N and time, or with groups of channels G
    /// that share them; D and delta_bias [D]; initial_state [B, D, N].
    /// </summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("u", Channels(timeLast)),
        new("delta", Channels(timeLast)),
        new("A", "D", "N"),
        new("B", timeLast ? ["B", "N", "L"] : ["B", "L", "N"]) { OtherAxes = [timeLast ? ["B", "G", "N", "L"] : ["B", "L", "G", "N"]] },
        new("C", timeLast ? ["B", "N", "L"] : ["B", "L", "N"]) { OtherAxes = [timeLast ? ["B", "G", "N", "L"] : ["B", "L", "G", "N"]] },
        new("D", "D") { Optional = true },
        new("z", Channels(timeLast)) { Optional = true },
        new("delta_bias", "D") { Optional = true },
        new("initial_state", "B", "D", "N") { Optional = true },
    ];

    /// <summary>delta_softplus: whether softplus follows the bias.</summary>
    public override IReadOnlyList<string> Options { get; } = ["delta_softplus"];

    /// <summary>y, as u; last_state, [B, D, N], the initial state where there is no time.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y", "last_state"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new SelectiveScanCpu(timeLast), new SelectiveScanCuda(timeLast)];

    public override IReadOnlyList<OpBaseline> Baselines => [new("loop", (inputs, options) => SelectiveScanLoop.Run(inputs, options, timeLast))];

    /// <summary>
    /// An exponential a state and step, and beside it 6 operations: Δ by A, Δu by B, and a multiplication and an addition each into h and into y.
    /// With backward, which reckons the states again, two exponentials and 24 operations: those 6, 4 for the states again, and 14 for the gradients
    /// of h (3), B (2), C (2), Δu (2), A (2) and Δ (2), with one product that the last two share.
    /// </summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var elements = (double)call.Size("B") * call.Size("D") * call.Size("L");
        var steps = elements * call.Size("N");
        return backward ? new OpCost(Bytes: 32 * elements, Flops: 24 * steps, Exponentials: 2 * steps)
            : new OpCost(Bytes: 12 * elements, Flops: 6 * steps, Exponentials: steps);
    }

    /// <summary>Step sizes between 0.001 and 0.1 and A between -1 and -16, where training starts; normal numbers otherwise.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape) => argument.Name switch
    {
        "delta" => empty(shape).uniform_(1e-3, 0.1),
        "A" => empty(shape).uniform_(-16, -1),
        _ => base.Sample(argument, shape),
    };

    protected override void Check(OpCall call)
    {
        var (channels, groups) = (call.Size("D"), call.SizeOr("G", 1));
        if (groups < 1 || channels % groups != 0)
            throw new ShapeException($"{Name}: {groups} groups of B and C cannot share {channels} channels evenly.");
    }

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) =>
        SelectiveScanReference.Forward(inputs, options.Get("delta_softplus", false), timeLast);

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) =>
    [
        new("y", timeLast ? [call.Size("B"), call.Size("D"), call.Size("L")] : [call.Size("B"), call.Size("L"), call.Size("D")]),
        new("last_state", call.Size("B"), call.Size("D"), call.Size("N")),
    ];

    private static string[] Channels(bool timeLast) => timeLast ? ["B", "D", "L"] : ["B", "L", "D"];
}
