namespace Zoo.Kernels.Cuda;

/// <summary>One kernel to run.</summary>
/// <param name="Source">Where its code is.</param>
/// <param name="Kernel">Its name, `extern "C"`.</param>
/// <param name="Grid">How many blocks.</param>
/// <param name="Block">How many threads a block.</param>
/// <param name="SharedBytes">Dynamic shared memory of a block.</param>
/// <param name="Arguments">In the order of the kernel's parameters.</param>
/// <param name="Caller">Who, in messages: its text is only asked for there.</param>
public sealed record CudaLaunch(
    CudaSource Source, string Kernel, CudaSize Grid, CudaSize Block, int SharedBytes, IReadOnlyList<CudaArgument> Arguments, object Caller)
{
    /// <summary>Threads that a block may have.</summary>
    public const int MostThreads = 1024;

    private const int MostBlocksAlongYOrZ = 65535;

    /// <summary>Requires what every card requires, so that the emulator refuses what a card would.</summary>
    /// <param name="device">Where it is to run.</param>
    /// <exception cref="ArgumentException">The grid, the block or its shared memory is too large, or the block is empty.</exception>
    internal void Check(ICudaDevice device)
    {
        if (Grid.Y > MostBlocksAlongYOrZ || Grid.Z > MostBlocksAlongYOrZ)
            throw new ArgumentException($"{Caller}: the grid of {Kernel} is {Grid}; along y and z a card takes at most {MostBlocksAlongYOrZ}.");
        if (Block.X < 1 || Block.Y < 1 || Block.Z is < 1 or > 64 || Block.Count > MostThreads)
            throw new ArgumentException($"{Caller}: the block of {Kernel} is {Block}; a card takes 1 to {MostThreads} threads, 64 along z.");
        if (SharedBytes < 0 || SharedBytes > device.SharedBytesPerBlock)
        {
            throw new ArgumentException($"{Caller}: {Kernel} wants {SharedBytes} bytes of shared memory a block; " +
                $"{device.Name} has {device.SharedBytesPerBlock}.");
        }
    }
}
