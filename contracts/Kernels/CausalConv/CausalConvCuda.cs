using Zoo.Kernels.Cuda;

namespace Zoo.Kernels;

/// <summary>The convolution on a card: a thread has one dimension of a strip of steps.</summary>
internal sealed class CausalConvCuda : CudaKernel
{
    private const int Threads = 256;
    private const int Lanes = 32;
    private const int Strips = 8;             // of a block, and below the steps of a strip: as in the .cu
    private const int ForwardSteps = 16;
    private const int BackwardSteps = 32;
    private const int RowsAtOnce = 8;         // AddRowsAtOnce of zoo.cuh

    public override string SourceName => "CausalConv.cu";

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (batches, length, dims, width) = Sizes(call);
        cuda.Launch(
            $"causal_conv_forward_{Kind(width)}", Grid(batches, length, dims, ForwardSteps), new CudaSize(Lanes, Strips), 0,
            arrays["x"], arrays["weight"], arrays["bias"], arrays["initial"], arrays["y"], length, dims, width, Silu(call));
        cuda.Launch(
            "causal_conv_last", Pieces((long)batches * width * dims), Threads, 0,
            arrays["x"], arrays["initial"], arrays["last"], batches, length, dims, width);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (batches, length, dims, width) = Sizes(call);
        var (x, weight, bias, initial) = (arrays["x"], arrays["weight"], arrays["bias"], arrays["initial"]);
        var (gradY, gradLast, gradX) = (arrays.Gradient("y"), arrays.Gradient("last"), arrays.Gradient("x"));
        var (gradWeight, gradBias, gradInitial) = (arrays.Gradient("weight"), arrays.Gradient("bias"), arrays.Gradient("initial"));
        var blocks = batches * CudaSize.Pieces(length, Strips * BackwardSteps);
        var weightParts = gradWeight.IsPresent ? cuda.Scratch(Math.Max(1, (long)blocks * dims * width)) : default;
        var biasParts = gradBias.IsPresent ? cuda.Scratch(Math.Max(1, (long)blocks * dims)) : default;
        if (gradX.IsPresent || gradWeight.IsPresent || gradBias.IsPresent)
        {
            cuda.Launch(
                $"causal_conv_backward_{Kind(width)}", Grid(batches, length, dims, BackwardSteps), new CudaSize(Lanes, Strips), 0,
                x, weight, bias, initial, gradY, gradLast, gradX, weightParts, biasParts, length, dims, width, Silu(call));
        }
        AddParts(weightParts, gradWeight, dims * width);
        AddParts(biasParts, gradBias, dims);
        if (gradInitial.IsPresent)
        {
            cuda.Launch(
                "causal_conv_backward_initial", Pieces((long)batches * width * dims), Threads, 0,
                x, weight, bias, initial, gradY, gradLast, gradInitial, batches, length, dims, width, Silu(call));
        }

        void AddParts(KernelArray parts, KernelArray gradient, int count)
        {
            if (gradient.IsPresent)
                cuda.Launch("causal_conv_add_parts", CudaSize.Pieces(count, Lanes), new CudaSize(Lanes, RowsAtOnce), 0, parts, gradient, blocks, count);
        }
    }

    private static (int Batches, int Length, int Dims, int Width) Sizes(OpCall call) =>
        (call.Count("B"), call.Count("L"), call.Count("D"), call.Count("K"));

    /// <summary>Which kernels: those of a width, or of any.</summary>
    private static string Kind(int width) => width is >= 2 and <= 4 ? $"{width}" : "any";

    private static int Silu(OpCall call) => call.Options.Get("silu", false) ? 1 : 0;

    private static CudaSize Grid(int batches, int length, int dims, int steps) =>
        checked(batches * CudaSize.Pieces(length, Strips * steps) * CudaSize.Pieces(dims, Lanes));

    private static int Pieces(long count) => CudaSize.Pieces(count, Threads);
}
