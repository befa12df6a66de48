namespace Zoo.Kernels.Cuda;

/// <summary>How a matrix product is cut into tiles, and how its kernels are launched: the host side of product.cuh.</summary>
/// <remarks>
/// Every kernel exists twice, NAME_large with tiles of 128 × 64 and NAME_small with tiles of 64 × 64; the constants are those of LargeProduct and
/// SmallProduct there.
/// </remarks>
public readonly record struct ProductPlan
{
    private const int LargeRows = 128;
    private const int SmallRows = 64;
    private const int TileColumns = 64;
    private const int Threads = 128;
    private const int Depth = 16;
    private const int Stages = 4;
    private const int BlocksOfMultiprocessor = 3;
    private const int MostSlices = 4;
    private const int LeastStepsOfSlice = 128;

    /// <summary>Lines of a stage end four numbers later, so that they do not meet in one bank.</summary>
    private const int Padding = 4;

    private readonly bool _large;
    private readonly int _rows, _columns, _room;

    /// <summary>Chooses the tiles: large ones where they keep every multiprocessor at work.</summary>
    /// <param name="rows">Of the product.</param>
    /// <param name="columns">Of the product.</param>
    /// <param name="device">The card.</param>
    public ProductPlan(long rows, long columns, ICudaDevice device)
    {
        _large = rows > SmallRows && (long)CudaSize.Pieces(rows, LargeRows) * CudaSize.Pieces(columns, TileColumns) >= device.MultiprocessorCount;
        (_rows, _columns) = (CudaSize.Pieces(rows, _large ? LargeRows : SmallRows), CudaSize.Pieces(columns, TileColumns));
        _room = device.MultiprocessorCount * BlocksOfMultiprocessor;
    }

    /// <summary>Tiles of a row of tiles.</summary>
    public int Across => _columns;

    /// <summary>Tiles.</summary>
    public int Count => checked(_rows * _columns);

    /// <summary>Into how many slices to cut the sum, whose parts are then added: as many as leave the card least idle, when few tiles would or the last of them do.</summary>
    /// <param name="steps">Of the sum.</param>
    public int Slices(long steps)
    {
        var (best, least) = (1, double.PositiveInfinity);
        var most = Math.Max(MostSlices, _room / Math.Max(1, Count));
        for (var slices = 1; slices <= Math.Min(most, Math.Max(1, steps / LeastStepsOfSlice)); slices++)
        {
            var rounds = (double)CudaSize.Pieces((long)Count * slices, _room) / slices;
            if (rounds < 0.9 * least)
                (best, least) = (slices, rounds);
        }
        return best;
    }

    /// <summary>Launches a block a tile.</summary>
    /// <param name="cuda">Where.</param>
    /// <param name="kernel">Its name without "_large" or "_small".</param>
    /// <param name="arguments">In the order of the parameters.</param>
    public void Launch(CudaLauncher cuda, string kernel, params ReadOnlySpan<CudaArgument> arguments) => Launch(cuda, kernel, slices: 1, arguments);

    /// <summary>Launches a block a tile and slice of the sum, which is along y.</summary>
    public void Launch(CudaLauncher cuda, string kernel, int slices, params ReadOnlySpan<CudaArgument> arguments) => cuda.Launch(
        kernel + (_large ? "_large" : "_small"), new CudaSize(Count, slices), Threads,
        ((_large ? LargeRows : SmallRows) + TileColumns) * (Depth + Padding) * Stages * sizeof(float), arguments);
}
