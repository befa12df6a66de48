using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn.Ops;

/// <summary>minGRU in plain tensor code, and two other ways to write it that benchmarks compare with.</summary>
internal static class MinGruReference
{
    /// <summary>z = σ(gate), h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ φ(hidden_t).</summary>
    /// <param name="hidden">[batch, time, dim].</param>
    /// <param name="gate">[batch, time, dim].</param>
    /// <param name="h0">[batch, 1, dim]; null for zero.</param>
    /// <param name="options">φ.</param>
    /// <returns>h, [batch, time, dim].</returns>
    public static NamedTensors Forward(Tensor hidden, Tensor gate, Tensor? h0, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var decay = (-gate).sigmoid();                         // 1 - z without the difference
        var input = gate.sigmoid() * ActivationOption.Apply(hidden, options);
        return new() { ["h"] = Scan(decay, input, h0).MoveToOuterDisposeScope() };
    }

    /// <summary>As a careful user of tensors writes it: everything that needs no state at once, then one fused operation a step.</summary>
    public static NamedTensors Loop(Tensor hidden, Tensor gate, Tensor? h0, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var z = gate.sigmoid();
        var h = h0?.squeeze(1) ?? zeros_like(hidden.select(1, 0));
        var states = new List<Tensor>();
        foreach (var (zt, vt) in z.unbind(1).Zip(ActivationOption.Apply(hidden, options).unbind(1)))
            states.Add(h = h.lerp(vt, zt));
        return new() { ["h"] = stack(states, dim: 1).MoveToOuterDisposeScope() };
    }

    /// <summary>Heinsen's scan over logarithms (arXiv:2311.06281), as the paper's parallel form has it.</summary>
    /// <exception cref="UserException">The plain form, whose values may be negative.</exception>
    public static NamedTensors LogSpaceScan(NamedTensors inputs, OpOptions options)
    {
        if (ActivationOption.IsPlain(options))
            throw new UserException("A scan over logarithms needs positive values: activation must be g.");
        using var scope = NewDisposeScope();
        using Scalar half = 0.5;
        using Scalar zero = 0;
        var (hidden, gate) = (inputs["hidden"], inputs["gate"]);
        var logDecay = -nn.functional.softplus(gate);
        var logZ = -nn.functional.softplus(-gate);
        var logValue = where(hidden.ge(zero), hidden.relu().add(half).log(), -nn.functional.softplus(-hidden));
        return new() { ["h"] = LogScan(logDecay, logZ + logValue, inputs.Find("h0")).MoveToOuterDisposeScope() };
    }

    /// <summary>h of h_t = decay_t ⊙ h_{t-1} + input_t; the caller's scope owns what it makes.</summary>
    /// <param name="decay">[batch, time, dim].</param>
    /// <param name="input">[batch, time, dim].</param>
    /// <param name="h0">[batch, 1, dim]; null for zero.</param>
    public static Tensor Scan(Tensor decay, Tensor input, Tensor? h0)
    {
        var h = h0?.squeeze(1) ?? zeros([input.size(0), input.size(2)], input.dtype, input.device);
        var states = new List<Tensor>();
        foreach (var (at, bt) in decay.unbind(1).Zip(input.unbind(1)))
            states.Add(h = (at * h).Plus(bt));
        return states.Count > 0 ? stack(states, dim: 1) : decay * input;   // no time: empty, and still part of the graph
    }

    /// <summary>The same from the logarithms of decay and input: the caller's scope owns what it makes.</summary>
    public static Tensor LogScan(Tensor logDecay, Tensor logInput, Tensor? h0)
    {
        if (h0 is not null)
        {
            logInput = cat([h0.log(), logInput], 1);
            logDecay = nn.functional.pad(logDecay, [0, 0, 1, 0]);
        }
        var a = logDecay.cumsum(1);
        var h = (a + (logInput - a).logcumsumexp(1)).exp();
        return h0 is null ? h : h.narrow(1, 1, h.size(1) - 1);
    }
}
