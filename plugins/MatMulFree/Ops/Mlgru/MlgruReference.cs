using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Ops.Mlgru;

/// <summary>MLGRU in plain tensor code; every backend is tested against this.</summary>
internal static class MlgruReference
{
    /// <summary>f = b + (1 - b) σ(forget), h_t = f_t h_{t-1} + (1 - f_t) silu(input_t).</summary>
    public static NamedTensors Forward(NamedTensors inputs)
    {
        using var scope = NewDisposeScope();
        var (decay, candidate) = Gates(inputs);
        var (h, last) = LinearScan.Apply(decay, candidate, inputs.Find("h0"), KernelChoice.Parse(KernelChoice.Reference));
        return new() { ["h"] = h.MoveToOuterDisposeScope(), ["last_state"] = last.MoveToOuterDisposeScope() };
    }

    /// <summary>As a careful user of tensors writes it: everything that needs no state at once, then one fused operation a step.</summary>
    public static NamedTensors Loop(NamedTensors inputs)
    {
        using var scope = NewDisposeScope();
        using Scalar one = 1;
        var (decay, candidate) = Gates(inputs);
        var h = inputs.Find("h0") ?? zeros_like(candidate.select(1, 0));
        var states = new List<Tensor>();
        foreach (var (f, c) in decay.unbind(1).Zip(candidate.unbind(1)))
            states.Add(h = c.addcmul(f, h, one));
        return new() { ["h"] = stack(states, dim: 1).MoveToOuterDisposeScope(), ["last_state"] = h.MoveToOuterDisposeScope() };
    }

    /// <summary>f and (1 - f) silu(input); the caller's scope owns them.</summary>
    private static (Tensor Decay, Tensor Candidate) Gates(NamedTensors inputs)
    {
        var open = inputs["forget"].sigmoid();
        var closed = inputs["forget"].neg().sigmoid();         // 1 - σ without the difference
        if (inputs.Find("lower_bound") is { } bound)
        {
            var range = ones_like(bound) - bound;
            (open, closed) = (bound + range * open, range * closed);
        }
        return (open, nn.functional.silu(inputs["input"]) * closed);
    }
}
