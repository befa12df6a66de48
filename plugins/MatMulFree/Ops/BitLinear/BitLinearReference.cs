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
        using Scalar epsilon = options.Get("norm_eps", fused ? 1e-6 : 1e-8), largest = RowQuantizer.Largest, smallest = RowQuantizer.Smallest;
        using Scalar least = -128, one = 1, minusOne = -1;
        var n = x * (x.square().mean([-1], keepdim: true) + epsilon).rsqrt() * norm;
        var absolute = n.detach().abs().amax([-1], keepdim: true).clamp_min(smallest);   // [..., 1]
        var xScale = full_like(absolute, largest) / absolute;
        var wScale = w.detach().abs().mean().clamp_min(smallest);
        var scaledX = n * xScale;
        var scaledW = w / wScale;
        var xInt = scaledX.detach().round().clamp(least, largest);
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

    /// <summary>
    /// As a user of tensors writes it and the original's unfused layer is: norm, roundings and product one after the other on dequantised numbers. What
    /// the fused layer's time and memory are compared with.
    /// </summary>
    public static NamedTensors Unfused(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var (x, norm, w) = (inputs["x"], inputs["norm.weight"], inputs["weight"]);
        using Scalar epsilon = options.Get("norm_eps", 1e-8), largest = RowQuantizer.Largest, smallest = RowQuantizer.Smallest;
        using Scalar least = -128, one = 1, minusOne = -1;
        var n = x * (x.square().mean([-1], keepdim: true) + epsilon).rsqrt() * norm;
        var xScale = n.abs().amax([-1], keepdim: true).clamp_min(smallest).reciprocal() * largest;
        var xRounded = (n * xScale).round().clamp(least, largest) / xScale;
        var wScale = w.abs().mean().clamp_min(smallest);
        var wRounded = (w / wScale).round().clamp(minusOne, one) * wScale;
        var y = nn.functional.linear(n + (xRounded - n).detach(), w + (wRounded - w).detach());
        return new() { ["y"] = y.MoveToOuterDisposeScope() };
    }
}
