using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>The selective scan in plain tensor code; autograd derives the backward. Every backend is tested against this.</summary>
internal static class SelectiveScanReference
{
    /// <summary>Δ = softplus(delta + bias); h = exp(Δ A) h + Δ B u; y = (C h + D u) · silu(z). Gu &amp; Dao 2023, eq. 2a with Δ, B, C of the input.</summary>
    /// <param name="inputs">Named as the op's arguments.</param>
    /// <param name="softplus">Whether softplus follows the bias.</param>
    /// <param name="timeLast">Whether u, delta, z, B and C have time last; otherwise it follows the batch.</param>
    /// <returns>y, as u, and last_state.</returns>
    public static NamedTensors Forward(NamedTensors inputs, bool softplus, bool timeLast)
    {
        using var scope = NewDisposeScope();
        var time = timeLast ? -1 : 1;
        var (u, a) = (inputs["u"], inputs["A"]);
        var delta = Delta(inputs, softplus, timeLast);
        var b = PerChannel(inputs["B"], a.size(0), timeLast);                      // each step [batch, channel or 1, state]
        var c = PerChannel(inputs["C"], a.size(0), timeLast);
        var h = inputs.Find("initial_state")?.clone() ?? zeros([u.size(0), a.size(0), a.size(1)], u.dtype, u.device);
        var outputs = new List<Tensor>();
        foreach (var (((dt, ut), bt), ct) in delta.unbind(time).Zip(u.unbind(time)).Zip(b.unbind(time)).Zip(c.unbind(time)))
        {
            var step = dt.unsqueeze(-1);                                           // [batch, channel, 1]
            h = ((step * a).exp() * h).Plus(step * bt * ut.unsqueeze(-1));
            outputs.Add((h * ct).sum(-1));
        }
        var y = outputs.Count > 0 ? stack(outputs, dim: time) : u * delta;         // no time: empty, and still part of the graph
        y = Gate(y, inputs, timeLast);
        return new() { ["y"] = y.MoveToOuterDisposeScope(), ["last_state"] = h.MoveToOuterDisposeScope() };
    }

    /// <summary>delta with its bias and softplus.</summary>
    internal static Tensor Delta(NamedTensors inputs, bool softplus, bool timeLast)
    {
        var delta = inputs["delta"];
        if (inputs.Find("delta_bias") is { } bias)
            delta = delta + (timeLast ? bias.unsqueeze(-1) : bias);
        return softplus ? nn.functional.softplus(delta) : delta;
    }

    /// <summary>With D u added, and gated by z.</summary>
    internal static Tensor Gate(Tensor y, NamedTensors inputs, bool timeLast)
    {
        if (inputs.Find("D") is { } skip)
            y = y + inputs["u"] * (timeLast ? skip.unsqueeze(-1) : skip);
        return inputs.Find("z") is { } z ? y * nn.functional.silu(z) : y;
    }

    /// <summary>B or C with its groups spread over their channels: [batch, channel, state, time] or [batch, time, channel, state].</summary>
    private static Tensor PerChannel(Tensor x, long channels, bool timeLast)
    {
        var axis = timeLast ? 1 : 2;
        return x.ndim == 4 ? x.repeat_interleave(channels / x.size(axis), dim: axis) : x.unsqueeze(axis);
    }
}
