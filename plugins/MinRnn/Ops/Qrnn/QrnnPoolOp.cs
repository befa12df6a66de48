using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn.Ops;

/// <summary>
/// A QRNN layer after its linear map: c_t = σ(f_t) ⊙ tanh(z_t) + (1 - σ(f_t)) ⊙ c_{t-1}, h_t = σ(o_t) ⊙ c_t, or c_t without an output gate.
/// </summary>
/// <remarks>
/// Bradbury et al. 2017, Quasi-Recurrent Neural Networks, eq. 3 and 4, with f and 1 - f exchanged as in the original project.
/// README.md beside this file derives the backward.
/// </remarks>
internal sealed class QrnnPoolOp : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static QrnnPoolOp Instance { get; } = new();

    public override string Name => "qrnn_fo_pool";

    public override string Title => "QRNN pooling: activations, mixing over time and output gate in one, time first";

    /// <summary>z, f and, for fo-pooling, o, before activation, [time, batch, dim]; hidden, [batch, dim], zero where it is not given.</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("z", "L", "B", "D"), new("f", "L", "B", "D"), new("o", "L", "B", "D") { Optional = true },
        new("hidden", "B", "D") { Optional = true },
    ];

    /// <summary>h, [time, batch, dim]; c_last, the final state, [1, batch, dim].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["h", "c_last"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new QrnnPoolCpu(), new GatedCuda(QrnnPoolCpu.Names, GatedSizes.TimeFirst, _ => "qrnn_pool")];

    public override IReadOnlyList<OpBaseline> Baselines { get; } = [new("loop", (inputs, _) => Loop(inputs))];

    /// <summary>Runs a layer's pooling.</summary>
    /// <param name="z">Candidate values, [time, batch, dim].</param>
    /// <param name="f">Gates of the new value, [time, batch, dim].</param>
    /// <param name="o">Output gates, [time, batch, dim]; null for f-pooling.</param>
    /// <param name="hidden">The state before, [batch, dim]; zero where null.</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <returns>h, [time, batch, dim], and the final state, [1, batch, dim].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static (Tensor H, Tensor Last) Apply(Tensor z, Tensor f, Tensor? o, Tensor? hidden, KernelChoice kernels)
    {
        var inputs = new NamedTensors { ["z"] = z, ["f"] = f };
        if (o is not null)
            inputs["o"] = o;
        if (hidden is not null)
            inputs["hidden"] = hidden;
        var outputs = Instance.Invoke(inputs, OpOptions.None, kernels).Outputs;
        return (outputs["h"], outputs["c_last"]);
    }

    /// <summary>The inputs are read and h written; backward reads the inputs and the gradient of h and writes the inputs' gradients.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = GatedSizes.TimeFirst(call).Elements;
        var inputs = call.Has("o") ? 3 : 2;
        return backward
            ? new OpCost(Bytes: 4 * (3 * inputs + 2) * count, Flops: 15 * inputs * count, Exponentials: 2 * inputs * count)
            : new OpCost(Bytes: 4 * (inputs + 1) * count, Flops: 5 * inputs * count, Exponentials: inputs * count);
    }

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var c = ForgetMultOp.Mix(inputs["f"].sigmoid(), inputs["z"].tanh(), inputs.Find("hidden"));
        return Finish(c, inputs);
    }

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) =>
        [new("h", call.Size("L"), call.Size("B"), call.Size("D")), new("c_last", 1, call.Size("B"), call.Size("D"))];

    private static NamedTensors Loop(NamedTensors inputs)
    {
        using var scope = NewDisposeScope();
        var (f, z) = (inputs["f"].sigmoid(), inputs["z"].tanh());
        var c = inputs.Find("hidden") ?? zeros_like(z.select(0, 0));
        var states = new List<Tensor>();
        foreach (var (ft, zt) in f.unbind(0).Zip(z.unbind(0)))
            states.Add(c = c.lerp(zt, ft));
        return Finish(stack(states), inputs);
    }

    /// <summary>Output gate and final state.</summary>
    private static NamedTensors Finish(Tensor c, NamedTensors inputs)
    {
        var length = c.size(0);
        var last = length > 0 ? c.narrow(0, length - 1, 1).clone()
            : inputs.Find("hidden")?.unsqueeze(0).clone() ?? zeros([1, c.size(1), c.size(2)], c.dtype, c.device);
        var h = inputs.Find("o") is { } o ? o.sigmoid() * c : c;
        return new() { ["h"] = h.MoveToOuterDisposeScope(), ["c_last"] = last.MoveToOuterDisposeScope() };
    }
}
