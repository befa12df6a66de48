using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>Gated linear unit with SiLU, y = gate · sigmoid(gate) · up.</summary>
/// <remarks>Shazeer 2020, GLU Variants Improve Transformer, eq. 6 (SwiGLU with β = 1). README.md beside this file derives the backward.</remarks>
public sealed class SwiGlu : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static SwiGlu Instance { get; } = new();

    private SwiGlu()
    {
    }

    /// <inheritdoc/>
    public override string Name => "swiglu";

    /// <inheritdoc/>
    public override string Title => "Gated linear unit with SiLU: silu(gate) · up";

    /// <summary>gate and up, [batch, time, dim].</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } = [new("gate", "B", "L", "D"), new("up", "B", "L", "D")];

    /// <summary>y, of the shape of gate.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new SwiGluCpu(), new SwiGluCuda()];

    /// <inheritdoc/>
    public override IReadOnlyList<OpBaseline> Baselines { get; } =
        [new("libtorch-fp32", (inputs, _) => new() { ["y"] = nn.functional.silu(inputs["gate"]) * inputs["up"] })];

    /// <summary>y of any two tensors of one shape.</summary>
    /// <param name="gate">Any shape.</param>
    /// <param name="up">Of the shape of <paramref name="gate"/>.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>Of the shape of <paramref name="gate"/>.</returns>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    public static Tensor Apply(Tensor gate, Tensor up, KernelChoice? kernels = null)
    {
        if (!gate.shape.AsSpan().SequenceEqual(up.shape))
            throw new ShapeException($"swiglu: 'up' is {Shape.Describe(up.shape)} but must be {Shape.Describe(gate.shape)}, as 'gate' is.");
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors { ["gate"] = Elementwise.ThreeAxes(gate), ["up"] = Elementwise.ThreeAxes(up) };
        var y = Instance.Invoke(inputs, OpOptions.None, kernels ?? KernelChoice.Auto).Outputs["y"];
        return (gate.dim() == 3 ? y : y.reshape(gate.shape)).MoveToOuterDisposeScope();
    }

    /// <summary>Two are read and one written, one exponential an element; backward reads both and the gradient and writes two.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = Elementwise.Count(call);
        return backward
            ? new OpCost(Bytes: 32 * count, Flops: 14 * count, Exponentials: 2 * count)
            : new OpCost(Bytes: 12 * count, Flops: 4 * count, Exponentials: count);
    }

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var gate = inputs["gate"];
        return new() { ["y"] = (gate * gate.sigmoid() * inputs["up"]).MoveToOuterDisposeScope() };
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [Elementwise.Output(call)];
}
