using Zoo.Kernels.Cuda;

namespace Zoo.Kernels;

/// <summary>SwiGLU on a card, a number a thread.</summary>
internal sealed class SwiGluCuda : CudaKernel
{
    public override string SourceName => "Activation.cu";

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => cuda.Launch(
        "swiglu_forward", Elementwise.Blocks(arrays["y"]), Elementwise.Threads, 0, arrays["gate"], arrays["up"], arrays["y"], arrays["y"].Length);

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => cuda.Launch(
        "swiglu_backward", Elementwise.Blocks(arrays["gate"]), Elementwise.Threads, 0,
        arrays["gate"], arrays["up"], arrays.Gradient("y"), arrays.Gradient("gate"), arrays.Gradient("up"), arrays["gate"].Length);
}
