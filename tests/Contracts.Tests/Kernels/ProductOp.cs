using Zoo.Kernels;

namespace Zoo.Tests.Kernels;

/// <summary>y = a ⊙ b, and the sum of y as a second output: the smallest op with a kernel.</summary>
internal sealed class ProductOp(bool failInBackward = false) : Op
{
    public override string Name => "product";

    public override string Title => "Elementwise product";

    public override IReadOnlyList<OpArgument> Arguments { get; } = [new("a", "B", "D"), new("b", "B", "D"), new("bias", "D") { Optional = true }];

    public override IReadOnlyList<string> Outputs { get; } = ["y", "total"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new CpuKernel(failInBackward)];

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        var y = inputs["a"] * inputs["b"];
        if (inputs.Find("bias") is { } bias)
            y += bias;
        return new() { ["y"] = y, ["total"] = y.sum().reshape(1) };
    }

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("y", call.Size("B"), call.Size("D")), new("total", 1)];

    private sealed unsafe class CpuKernel(bool failInBackward) : OpKernel
    {
        public override string Backend => KernelChoice.Cpu;

        public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) => [new("copy_of_a", call.Size("B"), call.Size("D"))];

        public override void Forward(OpCall call, KernelArrays arrays)
        {
            var (a, b, bias, y, copy) = (arrays["a"], arrays["b"], arrays["bias"], arrays["y"], arrays["copy_of_a"]);
            var total = 0f;
            for (var i = 0; i < a.Length; i++)
            {
                y.Float32[i] = a.Float32[i] * b.Float32[i] + (bias.IsPresent ? bias.Float32[i % bias.Length] : 0);
                total += y.Float32[i];
                if (copy.IsPresent)
                    copy.Float32[i] = a.Float32[i];
            }
            arrays["total"].Float32[0] = total;
        }

        public override void Backward(OpCall call, KernelArrays arrays)
        {
            if (failInBackward)
                throw new InvalidOperationException("planted");
            var (a, b, gy) = (arrays["copy_of_a"], arrays["b"], arrays.Gradient("y"));
            var gTotal = arrays.Gradient("total").IsPresent ? arrays.Gradient("total").Float32[0] : 0;
            var (ga, gb, gBias) = (arrays.Gradient("a"), arrays.Gradient("b"), arrays.Gradient("bias"));
            if (gBias.IsPresent)
                gBias.Span.Clear();
            for (var i = 0; i < a.Length; i++)
            {
                var g = (gy.IsPresent ? gy.Float32[i] : 0) + gTotal;
                if (ga.IsPresent)
                    ga.Float32[i] = g * b.Float32[i];
                if (gb.IsPresent)
                    gb.Float32[i] = g * a.Float32[i];
                if (gBias.IsPresent)
                    gBias.Float32[i % gBias.Length] += g;
            }
        }
    }
}
