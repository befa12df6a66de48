using System.Text.Json.Nodes;
using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Ops.SwishNorm;

/// <summary>RMS norm times a gate with SiLU: y = x / √(mean(x²) + ε) ⊙ weight ⊙ silu(gate).</summary>
/// <remarks>
/// The norm at the end of the token mixer; in the published code x is the projection called g_proj and the gate the recurrence's state, and not
/// the other way round as the paper's eq. 10 reads. README.md beside this file derives the backward.
/// </remarks>
internal sealed class SwishNormOp : Op
{
    private const double DefaultEpsilon = 1e-6;

    /// <summary>The op; it holds no state.</summary>
    public static SwishNormOp Instance { get; } = new();

    public override string Name => "rms_norm_swish_gate";

    public override string Title => "RMS norm of the last axis times silu(gate)";

    /// <summary>x and gate, [batch, time, dim]; weight, [dim].</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } = [new("x", "B", "L", "D"), new("gate", "B", "L", "D"), new("weight", "D")];

    /// <summary>eps: ε, 1e-6 where it is not given.</summary>
    public override IReadOnlyList<string> Options { get; } = ["eps"];

    /// <summary>y, as x.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new SwishNormCpu(), new SwishNormCuda()];

    /// <summary>Normalises and gates.</summary>
    /// <param name="x">[batch, time, dim].</param>
    /// <param name="gate">[batch, time, dim].</param>
    /// <param name="weight">[dim].</param>
    /// <param name="eps">ε.</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <returns>[batch, time, dim].</returns>
    public static Tensor Apply(Tensor x, Tensor gate, Tensor weight, double eps, KernelChoice kernels) => Instance.Invoke(
        new() { ["x"] = x, ["gate"] = gate, ["weight"] = weight }, new OpOptions(new JsonObject { ["eps"] = eps }), kernels).Outputs["y"];

    /// <summary>ε of a call.</summary>
    public static double Epsilon(OpCall call) => call.Options.Get("eps", DefaultEpsilon);

    /// <summary>Two are read and one written; backward reads three and writes two. An exponential an element each way.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = (double)call.Size("B") * call.Size("L") * call.Size("D");
        return backward
            ? new OpCost(Bytes: 32 * count, Flops: 30 * count, Exponentials: 2 * count)
            : new OpCost(Bytes: 12 * count, Flops: 9 * count, Exponentials: count);
    }

    protected override void Check(OpCall call)
    {
        var eps = Epsilon(call);
        if (!(eps >= 0 && double.IsFinite(eps)))
            throw new UserException($"{Name}: 'eps' is {eps}; it must be at least 0.");
        if (call.Size("D") == 0)
            throw new ShapeException($"{Name}: 'x' is {Shape.Describe(call.Inputs["x"].shape)}; the axis to normalise must not be empty.");
    }

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        using Scalar epsilon = options.Get("eps", DefaultEpsilon);
        var x = inputs["x"];
        var y = x * (x.square().mean([-1], keepdim: true) + epsilon).rsqrt() * inputs["weight"] * nn.functional.silu(inputs["gate"]);
        return new() { ["y"] = y.MoveToOuterDisposeScope() };
    }

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("y", call.Size("B"), call.Size("L"), call.Size("D"))];
}
