using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Ops.Mlgru;

/// <summary>The token mixer's recurrence with its gates: h_t = f_t ⊙ h_{t-1} + (1 - f_t) ⊙ silu(i_t), f = b + (1 - b) ⊙ σ(forget).</summary>
/// <remarks>
/// Zhu et al. 2024, section 3.2.2 (MLGRU), as the published code has it: SiLU on the candidate, and from the second layer on a lower bound b of
/// the forget gate (Qin et al. 2023, HGRN, section 3.2). README.md beside this file derives the backward.
/// </remarks>
internal sealed class MlgruOp : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static MlgruOp Instance { get; } = new();

    public override string Name => "mlgru";

    public override string Title => "MLGRU: forget gate with lower bound, SiLU candidate and scan in one";

    /// <summary>input and forget, before activation, [batch, time, dim]; lower_bound, [dim], 0 where it is not given; h0, [batch, dim], likewise.</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("input", "B", "L", "D"), new("forget", "B", "L", "D"), new("lower_bound", "D") { Optional = true }, new("h0", "B", "D") { Optional = true },
    ];

    /// <summary>h, every state, [batch, time, dim]; last_state, [batch, dim].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["h", "last_state"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new MlgruCpu(), new MlgruCuda()];

    public override IReadOnlyList<OpBaseline> Baselines { get; } = [new("loop", (inputs, _) => MlgruReference.Loop(inputs))];

    /// <summary>Runs the recurrence.</summary>
    /// <param name="input">Candidates before SiLU, [batch, time, dim].</param>
    /// <param name="forget">Gates before the sigmoid, [batch, time, dim].</param>
    /// <param name="lowerBound">[dim]; 0 where null.</param>
    /// <param name="state">The state before, [batch, dim]; 0 where null.</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <returns>Every state, [batch, time, dim], and the last one, [batch, dim].</returns>
    public static (Tensor States, Tensor Last) Apply(Tensor input, Tensor forget, Tensor? lowerBound, Tensor? state, KernelChoice kernels)
    {
        var inputs = new NamedTensors { ["input"] = input, ["forget"] = forget };
        if (lowerBound is not null)
            inputs["lower_bound"] = lowerBound;
        if (state is not null)
            inputs["h0"] = state;
        var outputs = Instance.Invoke(inputs, OpOptions.None, kernels).Outputs;
        return (outputs["h"], outputs["last_state"]);
    }

    /// <summary>Both are read and h written; backward must read both, h and its gradient and write two. Two exponentials an element each way.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = (double)call.Size("B") * call.Size("L") * call.Size("D");
        return backward
            ? new OpCost(Bytes: 36 * count, Flops: 40 * count, Exponentials: 4 * count)
            : new OpCost(Bytes: 12 * count, Flops: 12 * count, Exponentials: 2 * count);
    }

    /// <summary>Bounds lie between 0 and 1.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape) => argument.Name == "lower_bound" ? rand(shape) : base.Sample(argument, shape);

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => MlgruReference.Forward(inputs);

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) =>
        [new("h", call.Size("B"), call.Size("L"), call.Size("D")), new("last_state", call.Size("B"), call.Size("D"))];
}
