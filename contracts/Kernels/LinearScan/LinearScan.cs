using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>The recurrence h_t = a_t ⊙ h_{t-1} + b_t over time, one per batch and dimension: what gated linear networks share.</summary>
/// <remarks>README.md beside this file derives the backward and has measurements.</remarks>
public sealed class LinearScan : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static LinearScan Instance { get; } = new();

    private LinearScan()
    {
    }

    /// <inheritdoc/>
    public override string Name => "linear_scan";

    /// <inheritdoc/>
    public override string Title => "h = a · h + b over time, elementwise";

    /// <summary>a and b, [batch, time, dim]; h0, [batch, dim], zero where it is not given.</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
        [new("a", "B", "L", "D"), new("b", "B", "L", "D"), new("h0", "B", "D") { Optional = true }];

    /// <summary>h, every state, [batch, time, dim]; last_state, the final one, [batch, dim]: h0 where there is no time.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["h", "last_state"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new LinearScanCpu(), new LinearScanCuda()];

    /// <inheritdoc/>
    public override IReadOnlyList<OpBaseline> Baselines { get; } = [new("loop", (inputs, _) => Loop(inputs["a"], inputs["b"], inputs.Find("h0")))];

    /// <summary>Runs the recurrence.</summary>
    /// <param name="decay">a, [batch, time, dim].</param>
    /// <param name="input">b, [batch, time, dim].</param>
    /// <param name="initialState">h_0, [batch, dim]; zero where null.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>Every state, [batch, time, dim], and the final one, [batch, dim].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    /// <exception cref="BackendRejectedException">The demanded backend does not take these inputs.</exception>
    public static (Tensor States, Tensor LastState) Apply(Tensor decay, Tensor input, Tensor? initialState = null, KernelChoice? kernels = null)
    {
        var inputs = new NamedTensors { ["a"] = decay, ["b"] = input };
        if (initialState is not null)
            inputs["h0"] = initialState;
        var outputs = Instance.Invoke(inputs, OpOptions.None, kernels ?? KernelChoice.Auto).Outputs;
        return (outputs["h"], outputs["last_state"]);
    }

    /// <summary>a is read and b, and h written: 12 bytes an element. Backward reads a, h and the gradient of h and writes two: 20 more.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = (double)call.Size("B") * call.Size("L") * call.Size("D");
        return backward ? new OpCost(Bytes: 32 * count, Flops: 5 * count) : new OpCost(Bytes: 12 * count, Flops: 2 * count);
    }

    /// <summary>Decays from 0 to 1; inputs from the standard normal distribution.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape) => argument.Name == "a" ? rand(shape) : base.Sample(argument, shape);

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) =>
        LinearScanReference.Forward(inputs["a"], inputs["b"], inputs.Find("h0"));

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) =>
        [new("h", call.Size("B"), call.Size("L"), call.Size("D")), new("last_state", call.Size("B"), call.Size("D"))];

    /// <summary>As a careful user of tensors writes it: one fused operation a step.</summary>
    private static NamedTensors Loop(Tensor a, Tensor b, Tensor? h0)
    {
        using var scope = NewDisposeScope();
        var h = h0 ?? zeros_like(b.select(1, 0));
        var states = new List<Tensor>();
        foreach (var (at, bt) in a.unbind(1).Zip(b.unbind(1)))
            states.Add(h = bt.addcmul(at, h, 1));
        return new() { ["h"] = stack(states, dim: 1).MoveToOuterDisposeScope(), ["last_state"] = h.MoveToOuterDisposeScope() };
    }
}
