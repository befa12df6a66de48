using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The convolution in C#: vectors over dimensions, time step by step, so that the inputs that it looks back at are in the first cache.</summary>
internal sealed unsafe class CausalConvCpu : OpKernel
{
    /// <summary>Dimensions of one piece where threads need many pieces.</summary>
    private const int PieceDims = 128;

    /// <summary>Where they do not: rows as long as the first cache has room for, with the rows before and the sums.</summary>
    private const int WidePieceDims = 256;

    private const long ElementsWorthSharing = 1 << 15;

    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var (dims, width) = (call.Count("D"), call.Count("K"));
        using var columns = Columns(arrays["weight"].Float32, dims, width);
        var whole = new CausalConvForward
        {
            Sizes = Sizes(call),
            X = arrays["x"].Float32,
            Columns = columns.Start,
            Bias = arrays["bias"].Float32,
            Initial = arrays["initial"].Float32,
            Y = arrays["y"].Float32,
            Last = arrays["last"].Float32,
        };
        Share(call, (batch, first, count) => Simd.Run(whole with { Batch = batch, First = first, Count = count }));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var (batches, dims, width) = (call.Count("B"), call.Count("D"), call.Count("K"));
        using var columns = Columns(arrays["weight"].Float32, dims, width);
        var rows = width + 1;                                     // a gradient of each column, and of the bias
        using var ofPieces = new Scratch((long)batches * rows * dims);
        var sums = ofPieces.Start;
        var whole = new CausalConvBackward
        {
            Sizes = Sizes(call),
            X = arrays["x"].Float32,
            Columns = columns.Start,
            Bias = arrays["bias"].Float32,
            Initial = arrays["initial"].Float32,
            GradY = arrays.Gradient("y").Float32,
            GradLast = arrays.Gradient("last").Float32,
            GradX = arrays.Gradient("x").Float32,
            GradInitial = arrays.Gradient("initial").Float32,
            Sums = sums,
        };
        Share(call, (batch, first, count) => Simd.Run(whole with { Batch = batch, First = first, Count = count }));
        float* gradWeight = arrays.Gradient("weight").Float32, gradBias = arrays.Gradient("bias").Float32;
        for (var d = 0; d < dims; d++)
        {
            for (var row = 0; row < rows; row++)
            {
                var target = row < width ? gradWeight == null ? null : gradWeight + (long)d * width + row : gradBias == null ? null : gradBias + d;
                if (target == null)
                    continue;
                var sum = 0f;
                for (var batch = 0; batch < batches; batch++)
                    sum += sums[((long)batch * rows + row) * dims + d];
                *target = sum;
            }
        }
    }

    private static CausalConvSizes Sizes(OpCall call) =>
        new(call.Count("L"), call.Count("D"), call.Count("K"), call.Options.Get("silu", false));

    /// <summary>The weight with its columns as rows: [width, dim].</summary>
    private static Scratch Columns(float* weight, int dims, int width)
    {
        var memory = new Scratch((long)dims * width);
        var columns = memory.Start;
        for (var k = 0; k < width; k++)
        {
            for (var d = 0; d < dims; d++)
                columns[(long)k * dims + d] = weight[(long)d * width + k];
        }
        return memory;
    }

    /// <summary>Runs <paramref name="piece"/> (batch, first dimension, count) for all dimensions of all sequences.</summary>
    private static void Share(OpCall call, Action<int, int, int> piece)
    {
        var (batch, dims) = (call.Count("B"), call.Count("D"));
        var pieceDims = batch >= WorkShare.Threads ? WidePieceDims : PieceDims;        // each dimension is summed by itself: pieces change no bit
        var blocks = (dims + pieceDims - 1) / pieceDims;
        var pieces = checked(batch * blocks);
        if (batch * call.Size("L") * dims < ElementsWorthSharing)
        {
            for (var i = 0; i < pieces; i++)
                Run(i);
        }
        else
        {
            WorkShare.For(pieces, Run);
        }

        void Run(int i)
        {
            var first = i % blocks * pieceDims;
            piece(i / blocks, first, Math.Min(pieceDims, dims - first));
        }
    }
}
