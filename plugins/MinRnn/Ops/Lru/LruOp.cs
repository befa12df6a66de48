using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn.Ops;

/// <summary>
/// A linear recurrent unit: λ = exp(-exp(ν) + i exp(θ)), h_t = λ ⊙ h_{t-1} + exp(γ) ⊙ (B u_t), y_t = Re(C h_t) + D ⊙ u_t.
/// </summary>
/// <remarks>
/// Orvieto et al. 2023, eq. 5 and section 3.4. The matrix products are libtorch's; the recurrence between them is `lru_scan`, whose backend the
/// user chooses. Complex numbers are pairs of floats throughout.
/// </remarks>
internal sealed class LruOp : Op
{
    private static readonly string[] ParameterNames = ["nu_log", "theta_log", "gamma_log", "B_re", "B_im", "C_re", "C_im", "D"];

    /// <summary>The op; it holds no state.</summary>
    public static LruOp Instance { get; } = new();

    public override string Name => "lru";

    public override string Title => "Linear recurrent unit, written as tensor code around lru_scan";

    /// <summary>u, [batch, time, model]; logarithms of ν, θ, γ, [state]; B, [state, model]; C, [model, state]; D, [model]; h0, [batch, state].</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("u", "B", "L", "D"), new("nu_log", "N"), new("theta_log", "N"), new("gamma_log", "N"), new("B_re", "N", "D"), new("B_im", "N", "D"),
        new("C_re", "D", "N"), new("C_im", "D", "N"), new("D", "D"),
        new("h0_re", "B", "N") { Optional = true }, new("h0_im", "B", "N") { Optional = true },
    ];

    /// <summary>y, [batch, time, model]; the final state, [batch, state].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y", "h_last_re", "h_last_im"];

    /// <summary>Runs the unit.</summary>
    /// <param name="u">[batch, time, model].</param>
    /// <param name="parameters">nu_log, theta_log, gamma_log, B_re, B_im, C_re, C_im and D.</param>
    /// <param name="state">h before, [batch, part, state]; zero where null.</param>
    /// <param name="kernels">Which backend of `lru_scan` is wanted.</param>
    /// <returns>y, [batch, time, model], and the final state, [batch, part, state].</returns>
    public static (Tensor Y, Tensor State) Apply(Tensor u, NamedTensors parameters, Tensor? state, KernelChoice kernels)
    {
        using var scope = NewDisposeScope();
        var decay = (-parameters["nu_log"].exp()).exp();       // |λ|
        var phase = parameters["theta_log"].exp();
        var lambda = stack([decay * phase.cos(), decay * phase.sin()]);
        var scale = parameters["gamma_log"].exp().unsqueeze(1);
        var into = cat([parameters["B_re"] * scale, parameters["B_im"] * scale]);               // [2 state, model]
        var from = cat([parameters["C_re"], -parameters["C_im"]], 1);                           // [model, 2 state]
        var x = nn.functional.linear(u, into).view(u.size(0), u.size(1), 2, lambda.size(1));
        var (h, last) = LruScanOp.Apply(x, lambda, state, kernels);
        var y = nn.functional.linear(h.flatten(2), from) + parameters["D"] * u;
        return (y.MoveToOuterDisposeScope(), last.MoveToOuterDisposeScope());
    }

    /// <summary>u is read and y written; two complex products and the scan; backward twice the products again.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var steps = (double)call.Size("B") * call.Size("L");
        var (model, state) = ((double)call.Size("D"), (double)call.Size("N"));
        var flops = steps * (8 * model * state + 8 * state + 2 * model);
        return backward ? new OpCost(Bytes: 20 * steps * model, Flops: 3 * flops) : new OpCost(Bytes: 8 * steps * model, Flops: flops);
    }

    /// <summary>As the original project initialises: eigenvalues uniform on the unit disk, γ normalised.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape)
    {
        using var scope = NewDisposeScope();
        using Scalar half = -0.5;
        using Scalar scale = 1 / Math.Sqrt(argument.Name[0] == 'B' ? 2 * shape[^1] : shape[^1]);
        return (argument.Name switch
        {
            "nu_log" => empty(shape).uniform_(0.005, 0.995).log().mul(half).log(),
            "theta_log" => empty(shape).uniform_(1e-3, 2 * Math.PI).log(),
            "gamma_log" => full(shape, -0.35),
            "B_re" or "B_im" or "C_re" or "C_im" => randn(shape).mul(scale),
            _ => randn(shape),
        }).MoveToOuterDisposeScope();
    }

    /// <exception cref="ShapeException">One half of a state is missing.</exception>
    protected override void Check(OpCall call)
    {
        if (call.Has("h0_re") != call.Has("h0_im"))
            throw new ShapeException("lru: a state has two parts; give both 'h0_re' and 'h0_im', or neither.");
    }

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) =>
        Reference(inputs, options, KernelChoice.Parse(KernelChoice.Reference));

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options, KernelChoice kernels)
    {
        using var scope = NewDisposeScope();
        var state = inputs.Find("h0_re") is { } re ? stack([re, inputs["h0_im"]], dim: 1) : null;
        var parameters = new NamedTensors(ParameterNames.Select(name => KeyValuePair.Create(name, inputs[name])));
        var (y, last) = Apply(inputs["u"], parameters, state, kernels);
        return new()
        {
            ["y"] = y.MoveToOuterDisposeScope(),
            ["h_last_re"] = last.select(1, 0).MoveToOuterDisposeScope(),
            ["h_last_im"] = last.select(1, 1).MoveToOuterDisposeScope(),
        };
    }
}
