using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.XLstm.Ops.Slstm;

/// <summary>sLSTM: a scalar memory with exponential gates, a normaliser and a stabiliser, and recurrent weights within each head.</summary>
/// <remarks>
/// Beck et al. 2024, eq. 8 to 18: c = f' c + i' tanh(z), n = f' n + i', y = σ(o) c / n, with f' = exp(log σ(f) + m_{t-1} - m_t), i' = exp(i - m_t),
/// m_t = max(log σ(f) + m_{t-1}, i), each gate seeing x, R y and a bias. A step that finds every n of the batch 0 takes m_t = i. README.md beside this
/// file has the maths and the measurements.
/// </remarks>
public sealed class Slstm : Op
{
    internal const string FinalState = "final state";

    /// <summary>The op; it holds no state.</summary>
    public static Slstm Instance { get; } = new();

    private Slstm()
    {
    }

    /// <inheritdoc/>
    public override string Name => "slstm";

    /// <inheritdoc/>
    public override string Title => "sLSTM: scalar memory with stabilised exponential gates and recurrent weights, the whole time loop";

    /// <summary>
    /// x, the gates' pre-activations in the order i, f, z, o, each [head, dim]: [batch, time, 4 · head · dim]; state, y, c, n and m before the first step,
    /// [4, batch, head · dim], empty where not given; _recurrent_kernel_, R, [head, 4 · dim, dim]; _bias_, ordered like x.
    /// </summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("x", "B", "L", "4*H*D"), new("_recurrent_kernel_", "H", "4*D", "D"), new("_bias_", "4*H*D"),
        new("state", "4", "B", "H*D") { Optional = true },
    ];

    /// <summary>y, [batch, head, time, dim]; state, the final one, [4, batch, head · dim].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y", "state"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new SlstmCpu(), new SlstmCuda()];

    /// <summary>Runs sLSTM.</summary>
    /// <param name="x">Gates before the recurrent part, the bias and activation, [batch, time, 4 · head · dim].</param>
    /// <param name="recurrentKernel">R, [head, 4 · dim, dim].</param>
    /// <param name="bias">[4 · head · dim].</param>
    /// <param name="state">y, c, n and m before the first step, [4, batch, head · dim]; empty where null.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>y, [batch, head, time, dim], and the final state.</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static (Tensor Y, Tensor State) Apply(Tensor x, Tensor recurrentKernel, Tensor bias, Tensor? state = null, KernelChoice? kernels = null)
    {
        var inputs = new NamedTensors { ["x"] = x, ["_recurrent_kernel_"] = recurrentKernel, ["_bias_"] = bias };
        if (state is not null)
            inputs["state"] = state;
        var outputs = Instance.Invoke(inputs, OpOptions.None, kernels ?? KernelChoice.Auto).Outputs;
        return (outputs["y"], outputs["state"]);
    }

    /// <summary>
    /// Forward: 8 D² flops a step and head for R y, and five exponentials or logarithms an element. Backward: the same again for the gradient of y, and again
    /// for that of R; forward's exponentials are kept.
    /// </summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        double dim = call.Size("D"), elements = (double)call.Size("B") * call.Size("L") * call.Size("H") * dim;
        return backward
            ? new(Bytes: 4 * elements * 26, Flops: (3 * 8 * dim + 30) * elements, Exponentials: 5 * elements)
            : new(Bytes: 4 * elements * 5, Flops: 8 * dim * elements, Exponentials: 5 * elements);
    }

    /// <summary>Recurrent weights of a size that leaves y bounded; the rest from the standard normal distribution.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape)
    {
        if (argument.Name != "_recurrent_kernel_")
            return base.Sample(argument, shape);
        using Scalar scale = 1 / Math.Sqrt(shape[^1]);
        return randn(shape).mul_(scale);
    }

    /// <inheritdoc/>
    protected override void Check(OpCall call)
    {
        if (call.Size("D") < 1)
            throw new ShapeException("slstm: '_recurrent_kernel_' is [.., 0]; a head needs at least one dimension.");
    }

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => SlstmReference.Forward(inputs);

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call)
    {
        long batch = call.Size("B"), heads = call.Size("H"), dim = call.Size("D");
        return [new("y", batch, heads, call.Size("L"), dim), new("state", 4, batch, heads * dim) { Key = FinalState }];
    }
}
