using Zoo.Kernels.Cuda;

namespace Zoo.Kernels;

/// <summary>GELU on a card, a number a thread.</summary>
internal sealed class GeluCuda : CudaKernel
{
    public override string SourceName => "Activation.cu";

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => cuda.Launch(
        "gelu_forward", Elementwise.Blocks(arrays["x"]), Elementwise.Threads, 0,
        arrays["x"], arrays["y"], arrays["x"].Length, Gelu.UsesTanh(call.Options) ? 1 : 0);

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        if (arrays.Gradient("x") is not { IsPresent: true } target)
            return;
        cuda.Launch(
            "gelu_backward", Elementwise.Blocks(target), Elementwise.Threads, 0,
            arrays["x"], arrays.Gradient("y"), target, target.Length, Gelu.UsesTanh(call.Options) ? 1 : 0);
    }
}
