using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>The linear scan in plain tensor code; autograd derives the backward. Every backend is tested against this.</summary>
internal static class LinearScanReference
{
    /// <summary>h_t = a_t ⊙ h_{t-1} + b_t.</summary>
    /// <param name="a">Decay, [batch, time, dim].</param>
    /// <param name="b">Input, [batch, time, dim].</param>
    /// <param name="h0">The state before the first step, [batch, dim]; null for zero.</param>
    /// <returns>h, [batch, time, dim], and last_state, [batch, dim].</returns>
    public static NamedTensors Forward(Tensor a, Tensor b, Tensor? h0)
    {
        using var scope = NewDisposeScope();
        var h = h0?.clone() ?? zeros([b.size(0), b.size(2)], b.dtype, b.device);
        var states = new List<Tensor>();
        foreach (var (at, bt) in a.unbind(1).Zip(b.unbind(1)))   // select(1, t) would make a full-size gradient a step
            states.Add(h = (at * h).Plus(bt));
        var all = states.Count > 0 ? stack(states, dim: 1) : a * b;   // no time: empty, and still part of the graph
        return new() { ["h"] = all.MoveToOuterDisposeScope(), ["last_state"] = h.MoveToOuterDisposeScope() };
    }
}
