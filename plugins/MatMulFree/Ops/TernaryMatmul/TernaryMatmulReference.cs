using static TorchSharp.torch;

namespace Zoo.MatMulFree.Ops.TernaryMatmul;

/// <summary>The definition in plain tensor code: the codes become numbers again, and those are multiplied.</summary>
internal static class TernaryMatmulReference
{
    public static NamedTensors Forward(NamedTensors inputs)
    {
        using var scope = NewDisposeScope();
        var dim = inputs["x"].shape[1];
        var (xScale, wScale) = (inputs["x_scale"], inputs["w_scale"]);
        // In float64 sums of whole numbers are exact in any order; libtorch's own int8 products are a hundred times slower.
        var x = inputs["x"].to(ScalarType.Float64);
        var weights = TernaryPacking.Unpack(inputs["weight"], dim).to(ScalarType.Float64);
        var sums = nn.functional.linear(x, weights).to(xScale.dtype);                                  // [batch, output]
        var y = sums * (wScale / xScale).unsqueeze(-1);
        if (inputs.Find("bias") is { } bias)
            y = y + bias;
        return new() { ["y"] = y.MoveToOuterDisposeScope() };
    }
}
