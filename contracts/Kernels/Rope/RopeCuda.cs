using Zoo.Kernels.Cuda;

namespace Zoo.Kernels;

/// <summary>Rotary position embedding on a card, a pair a thread; backward is the rotation by the opposite angle.</summary>
internal sealed class RopeCuda : CudaKernel
{
    private const int Threads = 256;

    public override string SourceName => "Rope.cu";

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => Turn(call, arrays, cuda, arrays["x"], arrays["y"], 1);

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        if (arrays.Gradient("x") is { IsPresent: true } target)
            Turn(call, arrays, cuda, arrays.Gradient("y"), target, -1);
    }

    private static void Turn(OpCall call, KernelArrays arrays, CudaLauncher cuda, KernelArray source, KernelArray target, float direction)
    {
        var pairs = call.Size("B") * call.Size("L") * call.Size("H") * call.Size("E");
        cuda.Launch(
            "rope_turn", CudaSize.Pieces(pairs, Threads), Threads, 0, source, arrays["cos"], arrays["sin"], target,
            pairs, call.Count("L"), call.Count("H"), call.Count("E"), direction);
    }
}
