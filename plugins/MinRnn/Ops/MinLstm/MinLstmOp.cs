using System.Text.Json.Nodes;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn.Ops;

/// <summary>minLSTM after its projections: h_t = f' ⊙ h_{t-1} + i' ⊙ g(hidden_t), f' = f / (f + i), i' = i / (f + i), f and i sigmoids.</summary>
/// <remarks>Feng et al. 2024, section 3.2 and appendix B. README.md beside this file derives the backward.</remarks>
internal sealed class MinLstmOp : Op
{
    private static readonly OpOptions Plain = new(new JsonObject { [ActivationOption.Name] = ActivationOption.Identity });

    /// <summary>The op; it holds no state.</summary>
    public static MinLstmOp Instance { get; } = new();

    public override string Name => "minlstm";

    public override string Title => "minLSTM: both gates normalised, g() and scan in one";

    /// <summary>
    /// hidden, f_gate and i_gate, before activation, [batch, time, dim]; h0, already activated, [batch, 1, dim], zero where it is not given.
    /// </summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("hidden", "B", "L", "D"), new("f_gate", "B", "L", "D"), new("i_gate", "B", "L", "D"),
        new("h0", "B", "1", "D") { Optional = true },
    ];

    /// <summary>activation: "g", or "identity" for the paper's plain form.</summary>
    public override IReadOnlyList<string> Options { get; } = [ActivationOption.Name];

    /// <summary>h, every state, [batch, time, dim].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["h"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new MinLstmCpu(), new GatedCuda(MinLstmCpu.Names, GatedSizes.BatchFirst, c => ActivationOption.IsPlain(c.Options) ? "minlstm_plain" : "minlstm")];

    public override IReadOnlyList<OpBaseline> Baselines { get; } = [new("loop", MinLstmReference.Loop), new("log-space-scan", MinLstmReference.LogSpaceScan)];

    /// <summary>Runs the layer's recurrence.</summary>
    /// <param name="hidden">Candidate values before g, [batch, time, dim].</param>
    /// <param name="forgetGate">Before the sigmoid, [batch, time, dim].</param>
    /// <param name="inputGate">Before the sigmoid, [batch, time, dim].</param>
    /// <param name="h0">The state before, already activated, [batch, 1, dim]; zero where null.</param>
    /// <param name="plain">Whether g is left out.</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <returns>Every state, [batch, time, dim].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static Tensor Apply(Tensor hidden, Tensor forgetGate, Tensor inputGate, Tensor? h0, bool plain, KernelChoice kernels)
    {
        var inputs = new NamedTensors { ["hidden"] = hidden, ["f_gate"] = forgetGate, ["i_gate"] = inputGate };
        if (h0 is not null)
            inputs["h0"] = h0;
        return Instance.Invoke(inputs, plain ? Plain : OpOptions.None, kernels).Outputs["h"];
    }

    /// <summary>
    /// Three arrays are read and one written: 16 bytes an element. Backward must read the three and the gradient of h and write three: 28 more.
    /// Three exponentials an element each way.
    /// </summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = GatedSizes.BatchFirst(call).Elements;
        var exponentials = (ActivationOption.IsPlain(call.Options) ? 2 : 3) * count;
        return backward
            ? new OpCost(Bytes: 44 * count, Flops: 50 * count, Exponentials: 2 * exponentials)
            : new OpCost(Bytes: 16 * count, Flops: 18 * count, Exponentials: exponentials);
    }

    protected override void Check(OpCall call) => ActivationOption.Check(call);

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => MinLstmReference.Forward(inputs, options);

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("h", call.Size("B"), call.Size("L"), call.Size("D"))];
}
