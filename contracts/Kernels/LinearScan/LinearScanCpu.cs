using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The linear scan in C#: vectors over dimensions, one step of time after the other, so that memory is walked in order.</summary>
/// <remarks>
/// Each number depends on its own dimension alone and is rounded the same way in a full and in a partial vector: how dimensions are shared
/// among threads changes no bit.
/// </remarks>
internal sealed unsafe class LinearScanCpu : OpKernel
{
    /// <summary>Dimensions of one piece at most: a row of each array and the carried state fit the first cache.</summary>
    private const int WidestPiece = 1024;

    /// <summary>Dimensions of one piece at least: four cache lines.</summary>
    private const int NarrowestPiece = 64;

    private const long ElementsWorthSharing = 1 << 15;

    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var whole = new LinearScanForward
        {
            Length = call.Count("L"),
            Stride = call.Count("D"),
            A = arrays["a"].Float32,
            B = arrays["b"].Float32,
            Initial = arrays["h0"].Float32,
            States = arrays["h"].Float32,
            Last = arrays["last_state"].Float32,
        };
        Share(call, (batch, first, count) => Simd.Run(whole.Piece(batch, first, count)));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var whole = new LinearScanBackward
        {
            Length = call.Count("L"),
            Stride = call.Count("D"),
            A = arrays["a"].Float32,
            Initial = arrays["h0"].Float32,
            States = arrays["h"].Float32,
            GradStates = arrays.Gradient("h").Float32,
            GradLast = arrays.Gradient("last_state").Float32,
            GradA = arrays.Gradient("a").Float32,
            GradB = arrays.Gradient("b").Float32,
            GradInitial = arrays.Gradient("h0").Float32,
        };
        Share(call, (batch, first, count) => Simd.Run(whole.Piece(batch, first, count)));
    }

    /// <summary>Runs <paramref name="piece"/> (batch, first dimension, count) for all dimensions of all sequences.</summary>
    private static void Share(OpCall call, Action<int, int, int> piece)
    {
        var (batch, dims) = (call.Count("B"), call.Count("D"));
        var width = WidestPiece;
        while (width > NarrowestPiece && batch * Blocks(dims, width) < 2 * WorkShare.Threads)
            width /= 2;
        var blocks = Blocks(dims, width);
        var pieces = checked((int)(batch * blocks));
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
            var first = (int)(i % blocks) * width;
            piece((int)(i / blocks), first, Math.Min(width, dims - first));
        }
    }

    private static long Blocks(long dims, long width) => (dims + width - 1) / width;
}
