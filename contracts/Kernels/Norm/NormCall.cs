using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>What the two normalisations have in common beside their kernel: checks, shapes, cost.</summary>
internal static class NormCall
{
    public static (Tensor Y, Tensor? Sum) Run(
        Op op, Tensor x, Tensor? weight, Tensor? bias, Tensor? residual, double eps, KernelChoice? kernels)
    {
        using var scope = NewDisposeScope();
        var shape = x.shape;
        if (shape.Length == 0)
            throw new ShapeException($"{op.Name}: 'x' is [] but must have a last axis to normalise.");
        if (residual is not null && !residual.shape.AsSpan().SequenceEqual(shape))
            throw new ShapeException($"{op.Name}: 'residual' is {Shape.Describe(residual.shape)} but must be {Shape.Describe(shape)}, as 'x' is.");
        var inputs = new NamedTensors { ["x"] = Rows(x) };
        if (weight is not null)
            inputs["weight"] = weight;
        if (bias is not null)
            inputs["bias"] = bias;
        if (residual is not null)
            inputs["residual"] = Rows(residual);
        var options = eps == RmsNorm.DefaultEpsilon ? OpOptions.None : new OpOptions(new JsonObject { ["eps"] = eps });
        var outputs = op.Invoke(inputs, options, kernels ?? KernelChoice.Auto).Outputs;
        return (AsGiven(outputs["y"])!, AsGiven(outputs.Find("sum")));

        Tensor Rows(Tensor tensor) => shape.Length == 3 ? tensor : tensor.reshape(1, shape[..^1].Aggregate(1L, (a, b) => a * b), shape[^1]);

        Tensor? AsGiven(Tensor? tensor) => (shape.Length == 3 ? tensor : tensor?.reshape(shape))?.MoveToOuterDisposeScope();
    }

    public static void Check(OpCall call)
    {
        var eps = NormSizes.Epsilon(call.Options);
        if (!(eps >= 0 && double.IsFinite(eps)))
            throw new UserException($"{call.Op.Name}: 'eps' is {eps}; it must be at least 0.");
        if (call.Size("D") == 0)
            throw new ShapeException($"{call.Op.Name}: 'x' is {Shape.Describe(call.Inputs["x"].shape)}; the axis to normalise must not be empty.");
    }

    /// <summary>Needs nothing but the sizes and whether there is a residual.</summary>
    public static IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call)
    {
        var y = new KernelArraySpec("y", call.Size("B"), call.Size("L"), call.Size("D"));
        return call.Has("residual") ? [y, y with { Name = "sum" }] : [y];
    }

    /// <summary>
    /// x is read and y written, with a residual that is read and a sum that is written; backward reads the sum (or x) and the gradient of y
    /// and writes that of x, and with a residual reads the sum's gradient and writes the residual's.
    /// </summary>
    public static OpCost Floor(OpCall call, bool backward)
    {
        var count = (double)call.Size("B") * call.Size("L") * call.Size("D");
        var arrays = (call.Has("residual") ? 4 : 2) + (backward ? call.Has("residual") ? 5 : 3 : 0);
        return new OpCost(Bytes: 4 * arrays * count, Flops: (backward ? 15 : 5) * count);
    }
}
