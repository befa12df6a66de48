using System.Text.Json.Nodes;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn.Ops;

/// <summary>minGRU after its projections: h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ g(hidden_t), z = σ(gate).</summary>
/// <remarks>Feng et al. 2024, Were RNNs All We Needed?, section 3.1 and appendix B. README.md beside this file derives the backward.</remarks>
internal sealed class MinGruOp : Op
{
    private static readonly OpOptions Plain = new(new JsonObject { [ActivationOption.Name] = ActivationOption.Identity });

    /// <summary>The op; it holds no state.</summary>
    public static MinGruOp Instance { get; } = new();

    public override string Name => "mingru";

    public override string Title => "minGRU: gate, g() and scan in one";

    /// <summary>hidden and gate, before activation, [batch, time, dim]; h0, already activated, [batch, 1, dim], zero where it is not given.</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
        [new("hidden", "B", "L", "D"), new("gate", "B", "L", "D"), new("h0", "B", "1", "D") { Optional = true }];

    /// <summary>activation: "g", or "identity" for the paper's plain form.</summary>
    public override IReadOnlyList<string> Options { get; } = [ActivationOption.Name];

    /// <summary>h, every state, [batch, time, dim].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["h"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new MinGruCpu(), new GatedCuda(MinGruCpu.Names, GatedSizes.BatchFirst, c => ActivationOption.IsPlain(c.Options) ? "mingru_plain" : "mingru")];

    public override IReadOnlyList<OpBaseline> Baselines { get; } =
    [
        new("loop", (inputs, options) => MinGruReference.Loop(inputs["hidden"], inputs["gate"], inputs.Find("h0"), options)),
        new("log-space-scan", MinGruReference.LogSpaceScan),
    ];

    /// <summary>Runs the layer's recurrence.</summary>
    /// <param name="hidden">Candidate values before g, [batch, time, dim].</param>
    /// <param name="gate">Gates before the sigmoid, [batch, time, dim].</param>
    /// <param name="h0">The state before, already activated, [batch, 1, dim]; zero where null.</param>
    /// <param name="plain">Whether g is left out.</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <returns>Every state, [batch, time, dim].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static Tensor Apply(Tensor hidden, Tensor gate, Tensor? h0, bool plain, KernelChoice kernels)
    {
        var inputs = new NamedTensors { ["hidden"] = hidden, ["gate"] = gate };
        if (h0 is not null)
            inputs["h0"] = h0;
        return Instance.Invoke(inputs, plain ? Plain : OpOptions.None, kernels).Outputs["h"];
    }

    /// <summary>
    /// hidden and gate are read and h written: 12 bytes an element. Backward must read both and the gradient of h and write two: 20 more (h can
    /// be had from the inputs). Two exponentials an element each way.
    /// </summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = GatedSizes.BatchFirst(call).Elements;
        var exponentials = (ActivationOption.IsPlain(call.Options) ? 1 : 2) * count;
        return backward
            ? new OpCost(Bytes: 32 * count, Flops: 30 * count, Exponentials: 2 * exponentials)
            : new OpCost(Bytes: 12 * count, Flops: 10 * count, Exponentials: exponentials);
    }

    protected override void Check(OpCall call) => ActivationOption.Check(call);

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) =>
        MinGruReference.Forward(inputs["hidden"], inputs["gate"], inputs.Find("h0"), options);

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("h", call.Size("B"), call.Size("L"), call.Size("D"))];
}
