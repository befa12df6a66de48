using Zoo.Kernels.Cuda;

namespace Zoo.Kernels;

/// <summary>The convolution on a card: one thread a number.</summary>
internal sealed class CausalConvCuda : CudaKernel
{
    private const int Threads = 256;

    public override string SourceName => "CausalConv.cu";

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (batches, length, dims, width) = Sizes(call);
        cuda.Launch(
            "causal_conv_forward", Grid((long)batches * length * dims), Threads, 0,
            arrays["x"], arrays["weight"], arrays["bias"], arrays["initial"], arrays["y"], batches, length, dims, width, Silu(call));
        cuda.Launch(
            "causal_conv_last", Grid((long)batches * width * dims), Threads, 0,
            arrays["x"], arrays["initial"], arrays["last"], batches, length, dims, width);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (batches, length, dims, width) = Sizes(call);
        Inputs(arrays.Gradient("x"), 0, length);
        Inputs(arrays.Gradient("initial"), -width, width);
        var (gradWeight, gradBias) = (arrays.Gradient("weight"), arrays.Gradient("bias"));
        if (!gradWeight.IsPresent && !gradBias.IsPresent)
            return;
        var count = (long)(width + 1) * dims;
        var sums = cuda.Scratch(batches * count);
        cuda.Launch(
            "causal_conv_backward_weight", Grid(batches * count), Threads, 0,
            arrays["x"], arrays["weight"], arrays["bias"], arrays["initial"], arrays.Gradient("y"), sums, batches, length, dims, width, Silu(call));
        cuda.Launch("causal_conv_backward_sum", Grid(count), Threads, 0, sums, gradWeight, gradBias, batches, dims, width);

        void Inputs(KernelArray gradient, int first, int rows)
        {
            if (gradient.IsPresent)
            {
                cuda.Launch(
                    "causal_conv_backward_input", Grid((long)batches * rows * dims), Threads, 0,
                    arrays["x"], arrays["weight"], arrays["bias"], arrays["initial"], arrays.Gradient("y"), arrays.Gradient("last"), gradient,
                    first, rows, batches, length, dims, width, Silu(call));
            }
        }
    }

    private static (int Batches, int Length, int Dims, int Width) Sizes(OpCall call) =>
        (call.Count("B"), call.Count("L"), call.Count("D"), call.Count("K"));

    private static int Silu(OpCall call) => call.Options.Get("silu", false) ? 1 : 0;

    private static int Grid(long count) => CudaSize.Pieces(count, Threads);
}
