using Microsoft.Extensions.DependencyInjection;
using Zoo.Kernels;

namespace Zoo.Faulty;

/// <summary>Brings an op with a kernel that does not say what the kernel fills.</summary>
public sealed class BadOpPlugin : IZooPlugin
{
    public void ConfigureServices(IServiceCollection services) => services.AddSingleton<Op, UnfilledOp>();

    private sealed class UnfilledOp : Op
    {
        public override string Name => "unfilled";

        public override string Title => "A copy";

        public override IReadOnlyList<OpArgument> Arguments { get; } = [new("x", "N")];

        public override IReadOnlyList<string> Outputs { get; } = ["y"];

        public override IReadOnlyList<OpKernel> Kernels { get; } = [new Kernel()];

        protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => new() { ["y"] = inputs["x"].clone() };
    }

    private sealed class Kernel : OpKernel
    {
        public override string Backend => KernelChoice.Cpu;

        public override void Forward(OpCall call, KernelArrays arrays) => arrays["x"].Span.CopyTo(arrays["y"].Span);

        public override void Backward(OpCall call, KernelArrays arrays) => arrays.Gradient("y").Span.CopyTo(arrays.Gradient("x").Span);
    }
}
