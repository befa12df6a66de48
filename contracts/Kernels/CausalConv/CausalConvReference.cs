using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>The convolution in plain tensor code; autograd derives the backward. Every backend is tested against this.</summary>
internal static class CausalConvReference
{
    /// <summary>y_t = bias + Σ_k weight_k ⊙ x_{t−K+1+k}, and SiLU of it.</summary>
    /// <param name="inputs">Named as the op's arguments.</param>
    /// <param name="silu">Whether SiLU follows.</param>
    public static NamedTensors Forward(NamedTensors inputs, bool silu)
    {
        using var scope = NewDisposeScope();
        var (x, weight) = (inputs["x"], inputs["weight"]);
        var (length, width) = (x.size(1), weight.size(1));
        var before = inputs.Find("initial") ?? zeros([x.size(0), width, x.size(2)], x.dtype, x.device);
        var all = cat([before, x], dim: 1);                                      // [batch, width + time, dim]
        var y = all.narrow(1, 1, length) * weight.select(1, 0);
        for (var k = 1; k < width; k++)
            y = y + all.narrow(1, 1 + k, length) * weight.select(1, k);
        if (inputs.Find("bias") is { } bias)
            y = y + bias;
        if (silu)
            y = nn.functional.silu(y);
        return new() { ["y"] = y.MoveToOuterDisposeScope(), ["last"] = all.narrow(1, length, width).clone().MoveToOuterDisposeScope() };
    }

    /// <summary>The same by libtorch's own convolution, which wants time last.</summary>
    public static NamedTensors Libtorch(NamedTensors inputs, bool silu)
    {
        using var scope = NewDisposeScope();
        var (x, weight) = (inputs["x"], inputs["weight"]);
        var before = inputs.Find("initial") ?? zeros([x.size(0), weight.size(1), x.size(2)], x.dtype, x.device);
        var all = cat([before, x], dim: 1);
        var y = nn.functional.conv1d(all.narrow(1, 1, all.size(1) - 1).transpose(1, 2), weight.unsqueeze(1), inputs.Find("bias"), groups: x.size(2)).transpose(1, 2);
        if (silu)
            y = nn.functional.silu(y);
        return new() { ["y"] = y.contiguous().MoveToOuterDisposeScope(), ["last"] = all.narrow(1, x.size(1), weight.size(1)).clone().MoveToOuterDisposeScope() };
    }
}
