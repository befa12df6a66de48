using Zoo.Kernels.Cpu;
using Zoo.Kernels.Cuda;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>What ops on each element by itself have in common.</summary>
internal static class Elementwise
{
    private const int ElementsOfAPiece = 1 << 14;

    /// <summary>Threads of a block on a card, a number each.</summary>
    public const int Threads = 256;

    /// <summary>Blocks on a card for every number of an array.</summary>
    public static int Blocks(KernelArray array) => CudaSize.Pieces(array.Length, Threads);

    public static double Count(OpCall call) => (double)call.Size("B") * call.Size("L") * call.Size("D");

    public static KernelArraySpec Output(OpCall call) => new("y", call.Size("B"), call.Size("L"), call.Size("D"));

    /// <summary>A view with the three axes that the ops declare.</summary>
    public static Tensor ThreeAxes(Tensor tensor) => tensor.dim() == 3 ? tensor : tensor.reshape(1, 1, tensor.numel());

    /// <summary>Runs <paramref name="piece"/> (first element, count) over all elements, shared among threads.</summary>
    public static void Share(long count, Action<long, int> piece)
    {
        var pieces = checked((int)((count + ElementsOfAPiece - 1) / ElementsOfAPiece));
        WorkShare.For(pieces, i =>
        {
            var first = (long)i * ElementsOfAPiece;
            piece(first, (int)Math.Min(ElementsOfAPiece, count - first));
        });
    }
}
