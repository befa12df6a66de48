using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn.Ops;

/// <summary>minLSTM in plain tensor code, and two other ways to write it that benchmarks compare with.</summary>
internal static class MinLstmReference
{
    /// <summary>
    /// f / (f + i) as σ(log f - log i): no quotient of two numbers that both may be zero.
    /// </summary>
    /// <param name="inputs">hidden, f_gate, i_gate, [batch, time, dim]; h0, [batch, 1, dim], or absent.</param>
    /// <param name="options">φ.</param>
    /// <returns>h, [batch, time, dim].</returns>
    public static NamedTensors Forward(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var difference = Difference(inputs);
        var input = (-difference).sigmoid() * ActivationOption.Apply(inputs["hidden"], options);
        return new() { ["h"] = MinGruReference.Scan(difference.sigmoid(), input, inputs.Find("h0")).MoveToOuterDisposeScope() };
    }

    /// <summary>As a careful user of tensors writes it: everything that needs no state at once, then one fused operation a step.</summary>
    public static NamedTensors Loop(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var input = (-Difference(inputs)).sigmoid();
        var h = inputs.Find("h0")?.squeeze(1) ?? zeros_like(input.select(1, 0));
        var states = new List<Tensor>();
        foreach (var (it, vt) in input.unbind(1).Zip(ActivationOption.Apply(inputs["hidden"], options).unbind(1)))
            states.Add(h = h.lerp(vt, it));
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
        var hidden = inputs["hidden"];
        var difference = nn.functional.softplus(-inputs["f_gate"]) - nn.functional.softplus(-inputs["i_gate"]);
        var logForget = -nn.functional.softplus(difference);
        var logInput = -nn.functional.softplus(-difference);
        var logValue = where(hidden.ge(zero), hidden.relu().add(half).log(), -nn.functional.softplus(-hidden));
        return new() { ["h"] = MinGruReference.LogScan(logForget, logInput + logValue, inputs.Find("h0")).MoveToOuterDisposeScope() };
    }

    /// <summary>log f - log i.</summary>
    private static Tensor Difference(NamedTensors inputs) =>
        nn.functional.logsigmoid(inputs["f_gate"]) - nn.functional.logsigmoid(inputs["i_gate"]);
}
