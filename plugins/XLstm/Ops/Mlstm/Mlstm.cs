using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.XLstm.Ops.Mlstm;

/// <summary>mLSTM: a matrix memory with exponential input gate and sigmoid forget gate, stabilised by a running maximum.</summary>
/// <remarks>
/// Beck et al. 2024, eq. 19 to 27: C_t = f' C_{t-1} + i' k_t/√D v_tᵀ, n_t = f' n_{t-1} + i' k_t/√D, h_t = C_tᵀ q_t / (max(|n_t · q_t|, exp(-m_t)) + ε) with
/// m_t = max(log σ(f) + m_{t-1}, i). The parallel form is the chunkwise one with one chunk, the recurrent form the one with chunks of one
/// step. README.md beside this file has the maths and the measurements.
/// </remarks>
public sealed class Mlstm : Op
{
    /// <summary>ε unless the call says otherwise.</summary>
    public const double DefaultEpsilon = 1e-6;

    /// <summary>The op; it holds no state.</summary>
    public static Mlstm Instance { get; } = new();

    private Mlstm()
    {
    }

    /// <inheritdoc/>
    public override string Name => "mlstm";

    /// <inheritdoc/>
    public override string Title => "mLSTM: matrix memory with stabilised exponential gates, chunkwise";

    /// <summary>
    /// q and k, [batch, head, time, key dim]; v, [batch, head, time, value dim]; i and f, the gates before activation, [batch, head, time]; the state
    /// before the first step, C_0 [batch, head, key dim, value dim], n_0 [batch, head, key dim] and m_0 [batch, head, 1], empty where not given.
    /// </summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("q", "B", "H", "L", "D"), new("k", "B", "H", "L", "D"), new("v", "B", "H", "L", "E"), new("i", "B", "H", "L"), new("f", "B", "H", "L"),
        new("c0", "B", "H", "D", "E") { Optional = true }, new("n0", "B", "H", "D") { Optional = true }, new("m0", "B", "H", "1") { Optional = true },
    ];

    /// <summary>Values are as wide as keys unless a benchmark says otherwise.</summary>
    public override IReadOnlyDictionary<string, string> ImpliedSizes { get; } = new Dictionary<string, string> { ["E"] = "D" };

    /// <summary>eps: ε, 1e-6 where it is not given; chunk_size: steps of a chunk, which changes rounding alone, chosen by the backend where it is 0 or not given.</summary>
    public override IReadOnlyList<string> Options { get; } = ["eps", "chunk_size"];

    /// <summary>h, [batch, head, time, value dim]; c, n and m, the final state, shaped as the initial one.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["h", "c", "n", "m"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new MlstmCpu(), new MlstmCuda()];

    /// <summary>Runs mLSTM.</summary>
    /// <param name="q">Queries, [batch, head, time, key dim].</param>
    /// <param name="k">Keys, likewise.</param>
    /// <param name="v">Values, [batch, head, time, value dim].</param>
    /// <param name="i">Input gate before activation, [batch, head, time].</param>
    /// <param name="f">Forget gate before activation, likewise.</param>
    /// <param name="state">C, n and m before the first step; empty where null.</param>
    /// <param name="eps">ε.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>h, and the final state.</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static (Tensor H, (Tensor C, Tensor N, Tensor M) State) Apply(
        Tensor q, Tensor k, Tensor v, Tensor i, Tensor f, (Tensor C, Tensor N, Tensor M)? state = null, double eps = DefaultEpsilon, KernelChoice? kernels = null)
    {
        var inputs = new NamedTensors { ["q"] = q, ["k"] = k, ["v"] = v, ["i"] = i, ["f"] = f };
        if (state is { } given)
            (inputs["c0"], inputs["n0"], inputs["m0"]) = given;
        var outputs = Instance.Invoke(inputs, new OpOptions(new() { ["eps"] = eps }), kernels ?? KernelChoice.Auto).Outputs;
        return (outputs["h"], (outputs["c"], outputs["n"], outputs["m"]));
    }

    /// <summary>
    /// In chunks of 64, forward: a state's product with the query and its update, 2 D (E + 1) flops each a step; of scores and of weighed values the half
    /// below the diagonal, (D + E) · 65; the division. Backward adds four products of the state's size and five of the scores', and makes the scores again:
    /// README.md beside this file counts them. Each step has five exponentials or logarithms, those of the scores' weights being products of a row's
    /// and a column's.
    /// </summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        double steps = (double)call.Size("B") * call.Size("H") * call.Size("L"), keys = call.Size("D"), values = call.Size("E");
        var below = Math.Min(call.Size("L"), MlstmSizes.BestChunk) + 1.0;
        var forward = 4 * keys * (values + 1) + (keys + values) * below + values;
        var bytes = 4 * steps * (2 * keys + 2 * values + 2);
        return backward
            ? new(Bytes: 2.5 * bytes, Flops: steps * (forward + 10 * keys * values + (3 * keys + 2 * values) * below), Exponentials: 10 * steps)
            : new(Bytes: bytes, Flops: steps * forward, Exponentials: 5 * steps);
    }

    /// <summary>Forget gates that forget little, as they are initialised: from 3 to 6; the rest from the standard normal distribution.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape)
    {
        if (argument.Name != "f")
            return base.Sample(argument, shape);
        using Scalar width = 3;
        using Scalar least = 3;
        return rand(shape).mul_(width).add_(least);
    }

    /// <summary>Steps of a chunk that a call asks for; 0 where the backend chooses.</summary>
    internal static int ChunkSize(OpOptions options) => options.Get("chunk_size", 0);

    /// <summary>ε of a call.</summary>
    internal static float Epsilon(OpOptions options) => (float)options.Get("eps", DefaultEpsilon);

    /// <inheritdoc/>
    protected override void Check(OpCall call)
    {
        if (call.Size("D") < 1 || call.Size("E") < 1)
            throw new ShapeException($"mlstm: 'q' and 'v' are [.., {call.Size("D")}] and [.., {call.Size("E")}]; a head needs at least one dimension.");
        if (ChunkSize(call.Options) < 0)
            throw new UserException($"The option 'chunk_size' is {ChunkSize(call.Options)}; it must be at least 1, or 0 to let the backend choose.");
    }

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) =>
        MlstmReference.Forward(inputs, options.Get("eps", DefaultEpsilon), ChunkSize(options));

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call)
    {
        long batch = call.Size("B"), heads = call.Size("H"), keys = call.Size("D"), values = call.Size("E");
        return [new("h", batch, heads, call.Size("L"), values), new("c", batch, heads, keys, values), new("n", batch, heads, keys), new("m", batch, heads, 1)];
    }
}
