using TorchSharp;
using Zoo.Kernels;
using Zoo.MatMulFree.Ops.Kernels;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Ops.BitLinear;

/// <summary>The layer in plain tensor code; autograd derives the backward. Every backend is tested against this.</summary>
internal static class BitLinearReference
{
    /// <summary>
    /// n = x / √(mean(x²) + ε) ⊙ norm; x_scale = 127 / max(|n|); w_scale = mean(|w|); y = round(n x_scale) round(w / w_scale)ᵀ · w_scale / x_scale.
    /// </summary>
    /// <remarks>
    /// The product is one of whole numbers, and exact. Each rounding is v + (round(v) - v), of which autograd sees v alone: no digit is lost, since
    /// v and round(v) lie near each other.
    /// </remarks>
    public static NamedTensors Forward(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var (x, norm, w) = (inputs["x"], inputs["norm.weight"], inputs["weight"]);
        var fused = options.Get("fused", true);
        using Scalar smallest = RowQuantizer.Smallest, one = 1, minusOne = -1;
        var (xInt, xScale, scaledX) = Quantize(x, norm, options.Get("norm_eps", fused ? 1e-6 : 1e-8));
        var wScale = w.detach().to(ScalarType.Float64).abs().mean().to(w.dtype).clamp_min(smallest);   // as packed weights and every kernel have it
        var scaledW = w / wScale;
        var wInt = scaledW.detach().round().clamp(minusOne, one);
        var y = nn.functional.linear(scaledX + (xInt - scaledX.detach()), scaledW + (wInt - scaledW.detach())) * (wScale / xScale);
        if (fused && inputs.Find("bias") is { } bias)
            y = y + bias;
        var outputs = new NamedTensors { ["y"] = y.MoveToOuterDisposeScope() };
        if (!BitLinearOp.GivesIntegers(options))
            return outputs;
        outputs["x_int8"] = xInt.to(ScalarType.Int8).MoveToOuterDisposeScope();
        outputs["x_scale"] = xScale.MoveToOuterDisposeScope();
        outputs["w_ternary"] = wInt.to(ScalarType.Int8).MoveToOuterDisposeScope();
        outputs["w_scale"] = wScale.reshape(1).MoveToOuterDisposeScope();
        return outputs;
    }

    /// <summary>x_int8 as whole numbers in the type of x; x_scale, [..., 1]; and the numbers before they are rounded, which gradients reach.</summary>
    public static (Tensor Whole, Tensor Scale, Tensor Scaled) Quantize(Tensor x, Tensor norm, double eps)
    {
        using Scalar epsilon = eps, largest = RowQuantizer.Largest, smallest = RowQuantizer.Smallest, least = -128;
        var n = x * (x.square().mean([-1], keepdim: true) + epsilon).rsqrt() * norm;
        var absolute = n.detach().abs().amax([-1], keepdim: true).clamp_min(smallest);
        var scale = full_like(absolute, largest) / absolute;
        var scaled = n * scale;
        return (scaled.detach().round().clamp(least, largest), scale, scaled);
    }

    /// <summary>
    /// As a user of tensors writes it and the original's unfused layer is: norm, roundings and product one after the other on dequantised numbers. What
    /// the fused layer's time and memory are compared with, so each tensor is given up as soon as nothing but its gradient needs it.
    /// </summary>
    public static NamedTensors Unfused(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        using Scalar epsilon = options.Get("norm_eps", 1e-8);
        var n = Normalised(inputs["x"], inputs["norm.weight"], epsilon);
        var x = Straight(n, Rows);
        var w = Straight(inputs["weight"], Weights);
        return new() { ["y"] = nn.functional.linear(x, w).MoveToOuterDisposeScope() };
    }

    private static Tensor Normalised(Tensor x, Tensor norm, Scalar epsilon)
    {
        using var scope = NewDisposeScope();
        using var rate = Rate(x, epsilon);
        using var scaled = x * rate;
        return (scaled * norm).MoveToOuterDisposeScope();
    }

    private static Tensor Rate(Tensor x, Scalar epsilon)
    {
        using var scope = NewDisposeScope();
        return (x.square().mean([-1], keepdim: true) + epsilon).rsqrt().MoveToOuterDisposeScope();
    }

    /// <summary>v + (round(v) - v), of which autograd sees v alone.</summary>
    private static Tensor Straight(Tensor v, Func<Tensor, Tensor> round)
    {
        using var rounded = round(v);
        using var difference = rounded - v;
        rounded.Dispose();
        using var constant = difference.detach();
        difference.Dispose();
        return v + constant;
    }

    private static Tensor Rows(Tensor n)
    {
        using Scalar largest = RowQuantizer.Largest, least = -128;
        using var scale = ScaleOf(n);
        using var scaled = n * scale;
        using var whole = scaled.round();
        scaled.Dispose();
        whole.clamp_(least, largest);
        return whole / scale;
    }

    private static Tensor ScaleOf(Tensor n)
    {
        using var scope = NewDisposeScope();
        using Scalar largest = RowQuantizer.Largest, smallest = RowQuantizer.Smallest;
        return (n.abs().amax([-1], keepdim: true).clamp_min(smallest).reciprocal() * largest).MoveToOuterDisposeScope();
    }

    private static Tensor Weights(Tensor w)
    {
        using Scalar one = 1, minusOne = -1, smallest = RowQuantizer.Smallest;
        using var absolute = w.abs();
        using var mean = absolute.mean();
        absolute.Dispose();
        using var scale = mean.clamp_min(smallest);
        using var ratio = w / scale;
        using var whole = ratio.round();
        ratio.Dispose();
        whole.clamp_(minusOne, one);
        return whole * scale;
    }
}
