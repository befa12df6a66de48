using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>The selective scan on [batch, time, channel], as linear layers write it and read it: no transpose on either side.</summary>
internal sealed class SelectiveScanTokens : SelectiveScanOp
{
    public static SelectiveScanTokens Instance { get; } = new();

    private SelectiveScanTokens()
        : base(timeLast: false)
    {
    }

    public override string Name => "selective_scan_tokens";

    public override string Title => "selective_scan with time before channels, as the model lays it out";

    /// <summary>Runs the scan with softplus on delta + bias.</summary>
    /// <param name="u">Input, [batch, time, channel].</param>
    /// <param name="delta">Step sizes before bias and softplus, [batch, time, channel].</param>
    /// <param name="a">A, negative, [channel, state].</param>
    /// <param name="b">B, [batch, time, state].</param>
    /// <param name="c">C, [batch, time, state].</param>
    /// <param name="skip">D, [channel].</param>
    /// <param name="z">The gate before SiLU, [batch, time, channel].</param>
    /// <param name="deltaBias">Added to delta, [channel].</param>
    /// <param name="initialState">The state before the first step, [batch, channel, state]; zero where null.</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <returns>y, [batch, time, channel], and the final state, [batch, channel, state].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static (Tensor Output, Tensor LastState) Apply(
        Tensor u, Tensor delta, Tensor a, Tensor b, Tensor c, Tensor skip, Tensor z, Tensor deltaBias, Tensor? initialState, KernelChoice kernels)
    {
        var inputs = new NamedTensors
        {
            ["u"] = u,
            ["delta"] = delta,
            ["A"] = a,
            ["B"] = b,
            ["C"] = c,
            ["D"] = skip,
            ["z"] = z,
            ["delta_bias"] = deltaBias,
        };
        if (initialState is not null)
            inputs["initial_state"] = initialState;
        var outputs = Instance.Invoke(inputs, WithSoftplus, kernels).Outputs;
        return (outputs["y"], outputs["last_state"]);
    }
}
