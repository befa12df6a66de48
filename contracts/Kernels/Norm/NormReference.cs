using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>Both normalisations in plain tensor code; autograd derives the backward. Every backend is tested against this.</summary>
internal static class NormReference
{
    /// <summary>s = x + residual, c = s - mean(s) or s itself, y = c / √(mean(c²) + ε) ⊙ weight + bias.</summary>
    /// <param name="inputs">x, and where they are given weight, bias, residual.</param>
    /// <param name="centre">Whether the mean is taken off: layer normalisation.</param>
    /// <param name="eps">ε.</param>
    /// <returns>y, and with a residual the sum s.</returns>
    public static NamedTensors Forward(NamedTensors inputs, bool centre, double eps)
    {
        using var scope = NewDisposeScope();
        using Scalar epsilon = eps;
        var s = inputs.Find("residual") is { } residual ? inputs["x"] + residual : inputs["x"];
        var c = centre ? s - s.mean([-1], keepdim: true) : s;
        var y = c * (c.square().mean([-1], keepdim: true) + epsilon).rsqrt();
        if (inputs.Find("weight") is { } weight)
            y = y * weight;
        if (inputs.Find("bias") is { } bias)
            y = y + bias;
        var outputs = new NamedTensors { ["y"] = y.MoveToOuterDisposeScope() };
        if (inputs.ContainsKey("residual"))
            outputs["sum"] = s.MoveToOuterDisposeScope();
        return outputs;
    }
}
