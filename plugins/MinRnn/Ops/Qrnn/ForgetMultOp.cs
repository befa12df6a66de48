using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn.Ops;

/// <summary>h_t = f_t ⊙ x_t + (1 - f_t) ⊙ h_{t-1}, time first.</summary>
/// <remarks>
/// The pooling of the QRNN's own project, in which f multiplies the new value; in the paper (Bradbury et al. 2017, eq. 3) it multiplies the
/// old state. README.md beside this file derives the backward.
/// </remarks>
internal sealed class ForgetMultOp : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static ForgetMultOp Instance { get; } = new();

    public override string Name => "forget_mult";

    public override string Title => "h = f · x + (1 - f) · h over time, time first";

    /// <summary>f and x, [time, batch, dim]; hidden_init, [batch, dim], zero where it is not given.</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
        [new("f", "L", "B", "D"), new("x", "L", "B", "D"), new("hidden_init", "B", "D") { Optional = true }];

    /// <summary>h, every state, [time, batch, dim].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["h"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new ForgetMultCpu(), new GatedCuda(ForgetMultCpu.Names, GatedSizes.TimeFirst, _ => "forget_mult")];

    public override IReadOnlyList<OpBaseline> Baselines { get; } = [new("loop", (inputs, _) => Loop(inputs))];

    /// <summary>Runs the mixing.</summary>
    /// <param name="f">Share of the new value, [time, batch, dim].</param>
    /// <param name="x">New values, [time, batch, dim].</param>
    /// <param name="initial">The state before, [batch, dim]; zero where null.</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <returns>[time, batch, dim].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static Tensor Apply(Tensor f, Tensor x, Tensor? initial, KernelChoice kernels)
    {
        var inputs = new NamedTensors { ["f"] = f, ["x"] = x };
        if (initial is not null)
            inputs["hidden_init"] = initial;
        return Instance.Invoke(inputs, OpOptions.None, kernels).Outputs["h"];
    }

    /// <summary>f and x are read and h written: 12 bytes an element; backward reads f, x, the gradient of h and writes two: 20 more.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = GatedSizes.TimeFirst(call).Elements;
        return backward ? new OpCost(Bytes: 32 * count, Flops: 10 * count) : new OpCost(Bytes: 12 * count, Flops: 4 * count);
    }

    /// <summary>Gates from 0 to 1; values from the standard normal distribution.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape) => argument.Name == "f" ? rand(shape) : base.Sample(argument, shape);

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        return new() { ["h"] = Mix(inputs["f"], inputs["x"], inputs.Find("hidden_init")).MoveToOuterDisposeScope() };
    }

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("h", call.Size("L"), call.Size("B"), call.Size("D"))];

    /// <summary>The definition; the caller's scope owns what it makes.</summary>
    /// <param name="f">[time, batch, dim].</param>
    /// <param name="x">[time, batch, dim].</param>
    /// <param name="initial">[batch, dim]; null for zero.</param>
    /// <returns>[time, batch, dim].</returns>
    public static Tensor Mix(Tensor f, Tensor x, Tensor? initial)
    {
        using Scalar one = 1;
        var h = initial ?? zeros([x.size(1), x.size(2)], x.dtype, x.device);
        var states = new List<Tensor>();
        foreach (var (kept, added) in (-f).add(one).unbind(0).Zip((f * x).unbind(0)))
            states.Add(h = (kept * h).Plus(added));
        return states.Count > 0 ? stack(states) : f * x;       // no time: empty, and still part of the graph
    }

    /// <summary>As a careful user of tensors writes it: one fused operation a step.</summary>
    private static NamedTensors Loop(NamedTensors inputs)
    {
        using var scope = NewDisposeScope();
        var (f, x) = (inputs["f"], inputs["x"]);
        var h = inputs.Find("hidden_init") ?? zeros_like(x.select(0, 0));
        var states = new List<Tensor>();
        foreach (var (ft, xt) in f.unbind(0).Zip(x.unbind(0)))
            states.Add(h = h.lerp(xt, ft));
        return new() { ["h"] = stack(states).MoveToOuterDisposeScope() };
    }
}
