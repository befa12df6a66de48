using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.MatMulFree.Ops.GatedHalves;

/// <summary>The gated unit on a card, a number of y a thread.</summary>
internal sealed class GatedHalvesCuda : CudaKernel
{
    private const int Threads = 256;

    public override string SourceName => "GatedHalves.cu";

    public override bool ReadsOutput(string output) => false;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => cuda.Launch(
        "gated_halves_forward", CudaSize.Pieces(arrays["y"].Length, Threads), Threads, 0, arrays["x"], arrays["y"], arrays["y"].Length, call.Count("E") / 2);

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (given, target) = (arrays.Gradient("y"), arrays.Gradient("x"));
        if (!given.IsPresent)
            cuda.Clear(target);
        else if (target.IsPresent)
            cuda.Launch("gated_halves_backward", CudaSize.Pieces(given.Length, Threads), Threads, 0, arrays["x"], given, target, given.Length, call.Count("E") / 2);
    }
}
