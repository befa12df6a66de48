using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.XLstm.Ops.Matrix;

/// <summary>Sums over time that many blocks of a card share: the host side of Pieces.cuh.</summary>
internal static class Pieces
{
    private const int Threads = 256;

    /// <summary>How time is cut: into about as many pieces as are wanted, none smaller than a block has work for.</summary>
    /// <param name="steps">All there are.</param>
    /// <param name="wanted">Pieces that fill the card.</param>
    /// <param name="least">Steps that a block takes at once.</param>
    public static (int Count, int Steps) Of(long steps, int wanted, int least)
    {
        var size = CudaSize.Pieces(steps, Math.Max(1, wanted));
        size = Math.Max(1, CudaSize.Pieces(size, least)) * least;
        return (CudaSize.Pieces(steps, size), size);
    }

    /// <summary>Memory for the pieces of a gradient; absent where that is.</summary>
    public static KernelArray For(CudaLauncher cuda, KernelArray gradient, int pieces) =>
        gradient.IsPresent ? cuda.Scratch(Math.Max(1, pieces * gradient.Length)) : default;

    /// <summary>Adds the pieces, in order; does nothing where the gradient is absent.</summary>
    /// <param name="cuda">Where.</param>
    /// <param name="parts">All pieces.</param>
    /// <param name="first">Where this gradient's numbers begin in a piece.</param>
    /// <param name="gradient">Where the sum goes.</param>
    /// <param name="pieces">How many.</param>
    /// <param name="stride">From a piece to the next.</param>
    public static void Sum(CudaLauncher cuda, KernelArray parts, long first, KernelArray gradient, int pieces, long stride)
    {
        if (!gradient.IsPresent)
            return;
        cuda.Launch(
            "xlstm_sum_pieces", CudaSize.Pieces(gradient.Length, Threads), Threads, 0,
            pieces == 0 ? parts : parts.Slice(first, parts.Length - first), gradient, pieces, stride, gradient.Length);
    }
}
