using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.Modules.GELU;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>Gaussian error linear unit, y = x Φ(x), Φ the standard normal distribution function, or its approximation by tanh.</summary>
/// <remarks>Hendrycks and Gimpel 2016, Gaussian Error Linear Units, section 2. README.md beside this file derives the backward.</remarks>
public sealed class Gelu : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static Gelu Instance { get; } = new();

    private Gelu()
    {
    }

    /// <inheritdoc/>
    public override string Name => "gelu";

    /// <inheritdoc/>
    public override string Title => "Gaussian error linear unit, exact or by tanh";

    /// <summary>x, [batch, time, dim].</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } = [new("x", "B", "L", "D")];

    /// <summary>approximate: "none" (the default) or "tanh", as libtorch names them.</summary>
    public override IReadOnlyList<string> Options { get; } = ["approximate"];

    /// <summary>y, of the shape of x.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new GeluCpu(), new GeluCuda()];

    /// <inheritdoc/>
    public override IReadOnlyList<OpBaseline> Baselines { get; } =
    [
        new("libtorch-fp32", (inputs, options) => new() { ["y"] = nn.functional.gelu(inputs["x"], UsesTanh(options) ? Approximate.tanh : Approximate.none) }),
    ];

    /// <summary>y of any x.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="tanh">Whether Φ is approximated by tanh.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>Of the shape of <paramref name="x"/>.</returns>
    public static Tensor Apply(Tensor x, bool tanh = false, KernelChoice? kernels = null)
    {
        using var scope = NewDisposeScope();
        var options = tanh ? new OpOptions(new JsonObject { ["approximate"] = "tanh" }) : OpOptions.None;
        var y = Instance.Invoke(new() { ["x"] = Elementwise.ThreeAxes(x) }, options, kernels ?? KernelChoice.Auto).Outputs["y"];
        return (x.dim() == 3 ? y : y.reshape(x.shape)).MoveToOuterDisposeScope();
    }

    /// <summary>x is read and y written, one exponential an element; backward reads x and the gradient and writes one, with another exponential.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = Elementwise.Count(call);
        return backward
            ? new OpCost(Bytes: 20 * count, Flops: 60 * count, Exponentials: 2 * count)
            : new OpCost(Bytes: 8 * count, Flops: 28 * count, Exponentials: count);
    }

    internal static bool UsesTanh(OpOptions options) => options.Get("approximate", "none") == "tanh";

    /// <summary>Checks the option that ops with GELU have.</summary>
    internal static void Check(string op, OpOptions options)
    {
        var approximate = options.Get("approximate", "none");
        if (approximate is not ("none" or "tanh"))
            throw new UserException($"{op}: 'approximate' is \"{approximate}\"; it must be \"none\" or \"tanh\".");
    }

    /// <inheritdoc/>
    protected override void Check(OpCall call) => Check(Name, call.Options);

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        using Scalar one = 1;
        using Scalar half = 0.5;
        using Scalar root = Math.Sqrt(0.5);
        using Scalar cubic = 0.044715;
        using Scalar slope = Math.Sqrt(2 / Math.PI);
        var x = inputs["x"];
        var inner = UsesTanh(options) ? ((x + x * x * x * cubic) * slope).tanh() : (x * root).erf();
        return new() { ["y"] = (x * half * (inner + one)).MoveToOuterDisposeScope() };
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [Elementwise.Output(call)];
}
