using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.XLstm.Ops.HeadNorm;

/// <summary>Each head's output normalised on its own, with a skip connection and the output gate: y = (x̂ ⊙ (weight + offset) + skip ⊙ conv) ⊙ act(gate).</summary>
/// <remarks>
/// A group norm with a group a head, as xLSTM has it after both recurrences; the heads come back together on the way. README.md beside this file derives the
/// backward.
/// </remarks>
public sealed class HeadNorm : Op
{
    /// <summary>ε unless the call says otherwise.</summary>
    public const double DefaultEpsilon = 1e-5;

    /// <summary>The op; it holds no state.</summary>
    public static HeadNorm Instance { get; } = new();

    private HeadNorm()
    {
    }

    /// <inheritdoc/>
    public override string Name => "head_norm";

    /// <inheritdoc/>
    public override string Title => "Group norm with a group a head, skip connection and output gate";

    /// <summary>
    /// h, [batch, head, time, dim]; weight, [head · dim], 1 where not given; skip, [head · dim], and conv, [batch, time, head · dim], one with the other; gate,
    /// [batch, time, head · dim].
    /// </summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("h", "B", "H", "L", "D"), new("weight", "H*D") { Optional = true }, new("skip", "H*D") { Optional = true },
        new("conv", "B", "L", "H*D") { Optional = true }, new("gate", "B", "L", "H*D") { Optional = true },
    ];

    /// <summary>eps: ε, 1e-5 where it is not given; offset: added to the weight, 0; gate_act: "silu" or "sigmoid".</summary>
    public override IReadOnlyList<string> Options { get; } = ["eps", "offset", "gate_act"];

    /// <summary>y, [batch, time, head · dim].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new HeadNormCpu(), new HeadNormCuda()];

    /// <summary>Runs it.</summary>
    /// <param name="h">[batch, head, time, dim].</param>
    /// <param name="weight">[head · dim]; 1 where null.</param>
    /// <param name="options">eps, offset and gate_act.</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <param name="skip">[head · dim] and what it multiplies, [batch, time, head · dim]; none where null.</param>
    /// <param name="gate">[batch, time, head · dim]; none where null.</param>
    /// <returns>[batch, time, head · dim].</returns>
    public static Tensor Apply(Tensor h, Tensor? weight, OpOptions options, KernelChoice kernels, (Tensor Weight, Tensor Conv)? skip = null, Tensor? gate = null)
    {
        var inputs = new NamedTensors { ["h"] = h };
        if (weight is not null)
            inputs["weight"] = weight;
        if (skip is { } given)
            (inputs["skip"], inputs["conv"]) = given;
        if (gate is not null)
            inputs["gate"] = gate;
        return Instance.Invoke(inputs, options, kernels).Outputs["y"];
    }

    /// <summary>Every tensor of time is read or written once; backward reads all and the gradient of y and writes those of its inputs.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = (double)call.Size("B") * call.Size("H") * call.Size("L") * call.Size("D");
        var inputs = 1 + (call.Has("conv") ? 1 : 0) + (call.Has("gate") ? 1 : 0);
        var exponentials = call.Has("gate") ? count : 0;
        return backward
            ? new(Bytes: 4 * count * (3 * inputs + 2), Flops: 30 * count, Exponentials: 2 * exponentials)
            : new(Bytes: 4 * count * (inputs + 1), Flops: 10 * count, Exponentials: exponentials);
    }

    internal static float Epsilon(OpOptions options) => (float)options.Get("eps", DefaultEpsilon);

    internal static float Offset(OpOptions options) => (float)options.Get("offset", 0.0);

    /// <exception cref="UserException">It is neither.</exception>
    internal static HeadGate Gate(OpOptions options) => options.Get("gate_act", "silu") switch
    {
        "silu" => HeadGate.Silu,
        "sigmoid" => HeadGate.Sigmoid,
        var other => throw new UserException($"The option 'gate_act' is \"{other}\"; it must be \"silu\" or \"sigmoid\"."),
    };

    /// <inheritdoc/>
    protected override void Check(OpCall call)
    {
        if (call.Has("skip") != call.Has("conv"))
            throw new ShapeException("head_norm takes 'skip' and 'conv' together, or neither.");
        if (call.Size("D") < 1)
            throw new ShapeException("head_norm: 'h' is [.., 0]; a head needs at least one dimension.");
        Gate(call.Options);
    }

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var h = inputs["h"].transpose(1, 2);                                         // [batch, time, head, dim]
        using Scalar offset = options.Get("offset", 0.0);
        var y = nn.functional.layer_norm(h, [h.size(3)], null, null, options.Get("eps", DefaultEpsilon)).flatten(2);
        if (inputs.Find("weight") is { } weight)
            y = y * (weight + offset);
        if (inputs.Find("skip") is { } skip)
            y = y + skip * inputs["conv"];
        if (inputs.Find("gate") is { } gate)
            y = y * (Gate(options) == HeadGate.Silu ? nn.functional.silu(gate) : gate.sigmoid());
        return new() { ["y"] = y.MoveToOuterDisposeScope() };
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) =>
        [new("y", call.Size("B"), call.Size("L"), call.Size("H") * call.Size("D"))];
}
