using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn.Ops;

/// <summary>The complex recurrence h_t = λ ⊙ h_{t-1} + x_t with one λ a dimension; real and imaginary parts as floats, side by side.</summary>
/// <remarks>Orvieto et al. 2023, Resurrecting Recurrent Neural Networks for Long Sequences, eq. 5. README.md beside this file derives the backward.</remarks>
internal sealed class LruScanOp : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static LruScanOp Instance { get; } = new();

    public override string Name => "lru_scan";

    public override string Title => "h = λ h + x over time, complex, one λ a dimension";

    /// <summary>
    /// x, [batch, time, part, dim], part 0 real and part 1 imaginary; lambda, [part, dim]; h0, [batch, part, dim], zero where it is not given.
    /// </summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
        [new("x", "B", "L", "2", "N"), new("lambda", "2", "N"), new("h0", "B", "2", "N") { Optional = true }];

    /// <summary>h, every state, [batch, time, part, dim]; last_state, [batch, part, dim].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["h", "last_state"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new LruScanCpu(), new LruScanCuda()];

    /// <summary>Runs the recurrence.</summary>
    /// <param name="x">[batch, time, part, dim].</param>
    /// <param name="lambda">[part, dim].</param>
    /// <param name="h0">[batch, part, dim]; zero where null.</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <returns>Every state, [batch, time, part, dim], and the final one, [batch, part, dim].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static (Tensor States, Tensor Last) Apply(Tensor x, Tensor lambda, Tensor? h0, KernelChoice kernels)
    {
        var inputs = new NamedTensors { ["x"] = x, ["lambda"] = lambda };
        if (h0 is not null)
            inputs["h0"] = h0;
        var outputs = Instance.Invoke(inputs, OpOptions.None, kernels).Outputs;
        return (outputs["h"], outputs["last_state"]);
    }

    /// <summary>x is read and h written: 16 bytes a complex number. Backward reads h and its gradient and writes that of x: 24 more.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = (double)call.Size("B") * call.Size("L") * call.Size("N");
        return backward ? new OpCost(Bytes: 40 * count, Flops: 24 * count) : new OpCost(Bytes: 16 * count, Flops: 8 * count);
    }

    /// <summary>λ inside the unit disk, so that no state grows without bound; x from the standard normal distribution.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape)
    {
        if (argument.Name != "lambda")
            return base.Sample(argument, shape);
        using var scope = NewDisposeScope();
        var radius = rand(shape[1]).sqrt();
        using Scalar circle = 2 * Math.PI;
        var phase = rand(shape[1]).mul(circle);
        return stack([radius * phase.cos(), radius * phase.sin()]).MoveToOuterDisposeScope();
    }

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var (x, lambda) = (inputs["x"], inputs["lambda"]);
        var (re, im) = (lambda.select(0, 0), lambda.select(0, 1));
        Tensor hr, hi;
        if (inputs.Find("h0") is { } h0)
            (hr, hi) = (h0.select(1, 0), h0.select(1, 1));
        else
            hr = hi = zeros([x.size(0), x.size(3)], x.dtype, x.device);
        var states = new List<Tensor>();
        foreach (var xt in x.unbind(1))
        {
            (hr, hi) = ((re * hr - im * hi).Plus(xt.select(1, 0)), (re * hi).Plus(im * hr).Plus(xt.select(1, 1)));
            states.Add(stack([hr, hi], dim: 1));
        }
        var last = states.Count > 0 ? states[^1].clone() : stack([hr, hi], dim: 1);
        var h = states.Count > 0 ? stack(states, dim: 1) : x * lambda;     // no time: empty, and still part of the graph
        return new() { ["h"] = h.MoveToOuterDisposeScope(), ["last_state"] = last.MoveToOuterDisposeScope() };
    }

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) =>
        [new("h", call.Size("B"), call.Size("L"), 2, call.Size("N")), new("last_state", call.Size("B"), 2, call.Size("N"))];
}
