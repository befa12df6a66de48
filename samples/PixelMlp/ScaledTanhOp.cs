using TorchSharp;
using Zoo;
using Zoo.Kernels;

namespace PixelMlp;

/// <summary>y = 1.7159 tanh(2x/3), the squashing function of LeCun 1989: f(1) = 1, so targets of ±1 are away from its ends.</summary>
internal sealed class ScaledTanhOp : Op
{
    private const float Height = 1.7159f;
    private const float Slope = 2f / 3f;

    // Two installed plugins must not have an op of one name, so it begins with the plugin's.
    public override string Name => "pixelmlp_scaled_tanh";

    public override string Title => "1.7159 tanh(2x/3)";

    public override IReadOnlyList<OpArgument> Arguments { get; } = [new("x", "...")];   // any shape

    public override IReadOnlyList<string> Outputs { get; } = ["y"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new CpuKernel()];

    /// <summary>The definition: plain tensor code, differentiated by libtorch, on every device and dtype. An op may end here.</summary>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = torch.NewDisposeScope();
        return new() { ["y"] = (Height * (Slope * inputs["x"]).tanh()).MoveToOuterDisposeScope() };
    }

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("y", call.Inputs["x"].shape)];

    /// <summary>For `zoo bench`: x in, y out, one exponential an element; backward reads y and its gradient and writes that of x.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var n = call.Inputs["x"].numel();
        return backward ? new(5 * sizeof(float) * n, 8 * n, n) : new(2 * sizeof(float) * n, 4 * n, n);
    }

    /// <summary>The same by hand, forward and backward, on raw memory: no tensors, no allocation, no state between calls.</summary>
    private sealed class CpuKernel : OpKernel
    {
        public override string Backend => KernelChoice.Cpu;

        public override void Forward(OpCall call, KernelArrays arrays)
        {
            var x = arrays["x"].Span;
            var y = arrays["y"].Span;
            for (var i = 0; i < x.Length; i++)
                y[i] = Height * MathF.Tanh(Slope * x[i]);
        }

        public override void Backward(OpCall call, KernelArrays arrays)
        {
            // The memory to fill holds anything; a gradient that did not arrive is zero.
            var dx = arrays.Gradient("x").Span;
            if (!arrays.Gradient("y").IsPresent)
            {
                dx.Clear();
                return;
            }
            var y = arrays["y"].Span;
            var dy = arrays.Gradient("y").Span;
            for (var i = 0; i < dx.Length; i++)
            {
                var tanh = y[i] / Height;
                dx[i] = dy[i] * Height * Slope * (1 - tanh * tanh);
            }
        }
    }
}
