namespace Zoo.Kernels.Cpu;

/// <summary>Shares a scan over time among threads: sequences, and blocks of dimensions, each block from the first step to the last.</summary>
/// <remarks>For kernels in which every dimension is on its own: how dimensions fall into blocks, which depends on the threads, changes no bit.</remarks>
public static class ScanShare
{
    /// <summary>Dimensions of a block at most: a row of each array and the carried state fit the first cache.</summary>
    private const int WidestBlock = 1024;

    /// <summary>Dimensions of a block at least: four cache lines.</summary>
    private const int NarrowestBlock = 64;

    /// <summary>Fewer elements are done before other threads have woken.</summary>
    private const long ElementsWorthSharing = 1 << 14;

    /// <summary>Runs <paramref name="block"/> (sequence, first dimension, how many) for all dimensions of all sequences.</summary>
    /// <param name="batch">Sequences.</param>
    /// <param name="length">Steps.</param>
    /// <param name="dims">Dimensions of a step.</param>
    /// <param name="block">Must not depend on which thread runs it, nor on the other blocks.</param>
    public static void For(long batch, long length, int dims, Action<int, int, int> block)
    {
        var width = WidestBlock;
        while (width > NarrowestBlock && batch * Blocks(dims, width) < 2 * WorkShare.Threads)
            width /= 2;
        var blocks = Blocks(dims, width);
        var count = checked((int)(batch * blocks));
        if (batch * length * dims >= ElementsWorthSharing)
        {
            WorkShare.For(count, Run);
            return;
        }
        for (var i = 0; i < count; i++)
            Run(i);

        void Run(int i)
        {
            var first = (int)(i % blocks) * width;
            block((int)(i / blocks), first, Math.Min(width, dims - first));
        }
    }

    private static long Blocks(int dims, int width) => (dims + (long)width - 1) / width;
}
