using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>Sizes of a scan: time runs through every sequence, and each dimension is on its own.</summary>
/// <param name="Batch">Sequences; 1 where time is the first axis, because rows of all sequences then lie side by side.</param>
/// <param name="Length">Steps.</param>
/// <param name="Dims">Dimensions of a step.</param>
internal readonly record struct GatedSizes(int Batch, int Length, int Dims)
{
    /// <summary>Dimensions of one piece at most: a row of each array and the carried state fit the first cache.</summary>
    private const int WidestPiece = 1024;

    /// <summary>Dimensions of one piece at least: four cache lines.</summary>
    private const int NarrowestPiece = 64;

    private const long ElementsWorthSharing = 1 << 14;

    /// <summary>[batch, time, dim].</summary>
    public static GatedSizes BatchFirst(OpCall call) => new(call.Count("B"), call.Count("L"), call.Count("D"));

    /// <summary>[time, batch, dim].</summary>
    public static GatedSizes TimeFirst(OpCall call) => new(1, call.Count("L"), checked(call.Count("B") * call.Count("D")));

    /// <summary>How many elements an array has.</summary>
    public double Elements => (double)Batch * Length * Dims;

    /// <summary>Runs <paramref name="piece"/> (batch, first dimension, count) for all dimensions of all sequences; pieces depend on sizes alone
    /// or change no bit.</summary>
    public void Share(Action<int, int, int> piece)
    {
        var (batch, dims) = (Batch, Dims);
        var width = WidestPiece;
        while (width > NarrowestPiece && (long)batch * Blocks(dims, width) < 2 * WorkShare.Threads)
            width /= 2;
        var blocks = Blocks(dims, width);
        var pieces = checked((int)(batch * blocks));
        if (Elements < ElementsWorthSharing)
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
