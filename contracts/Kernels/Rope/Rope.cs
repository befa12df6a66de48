using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>
/// Rotary position embedding: of each head's dimensions i and i + dim/2 are turned as a pair by an angle that grows with the position.
/// </summary>
/// <remarks>
/// Su et al. 2021, RoFormer, eq. 34, with pairs half a head apart as Llama's checkpoints have them (the paper pairs neighbours). The angles come
/// as tables, so that every layer shares them. README.md beside this file derives the backward.
/// </remarks>
public sealed class Rope : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static Rope Instance { get; } = new();

    private Rope()
    {
    }

    /// <inheritdoc/>
    public override string Name => "rope";

    /// <inheritdoc/>
    public override string Title => "Rotary position embedding, pairs half a head apart";

    /// <summary>x, [batch, time, head, dim]; cos and sin of the angles, [time, dim / 2].</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
        [new("x", "B", "L", "H", "D"), new("cos", "L", "E") { HasGradient = false }, new("sin", "L", "E") { HasGradient = false }];

    /// <summary>y, of the shape of x.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new RopeCpu(), new RopeCuda()];

    /// <summary>Turns x.</summary>
    /// <param name="x">[batch, time, head, dim], dim even.</param>
    /// <param name="cos">[time, dim / 2].</param>
    /// <param name="sin">[time, dim / 2].</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>Of the shape of <paramref name="x"/>.</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static Tensor Apply(Tensor x, Tensor cos, Tensor sin, KernelChoice? kernels = null) =>
        Instance.Invoke(new() { ["x"] = x, ["cos"] = cos, ["sin"] = sin }, OpOptions.None, kernels ?? KernelChoice.Auto).Outputs["y"];

    /// <summary>x is read and y written; backward reads and writes the gradients.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = (double)call.Size("B") * call.Size("L") * call.Size("H") * call.Size("D");
        return backward ? new OpCost(Bytes: 16 * count, Flops: 6 * count) : new OpCost(Bytes: 8 * count, Flops: 3 * count);
    }

    /// <summary>An even head, and half of it.</summary>
    public override long? ExampleSize(string axis) => axis switch { "D" => 6, "E" => 3, _ => null };

    /// <inheritdoc/>
    protected override void Check(OpCall call)
    {
        if (call.Size("D") != 2 * call.Size("E"))
        {
            throw new ShapeException($"{Name}: 'cos' is {Shape.Describe(call.Inputs["cos"].shape)} but must be [time {call.Size("L")}, half of x's " +
                $"head dimension {call.Size("D")}].");
        }
    }

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var halves = inputs["x"].chunk(2, -1);
        var (cos, sin) = (inputs["cos"].unsqueeze(1), inputs["sin"].unsqueeze(1));     // [time, 1, dim / 2]
        var y = cat([halves[0] * cos - halves[1] * sin, halves[1] * cos + halves[0] * sin], -1);
        return new() { ["y"] = y.MoveToOuterDisposeScope() };
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) =>
        [new("y", call.Size("B"), call.Size("L"), call.Size("H"), call.Size("D"))];
}
