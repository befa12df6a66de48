namespace Zoo.Kernels.Cuda;

/// <summary>How a matrix product is cut into tiles, and how its kernels are launched: the host side of product.cuh.</summary>
/// <remarks>Every kernel exists twice, NAME_large with tiles of 128 × 128 and NAME_small with tiles of 64 × 64; the constants are those of its plans.</remarks>
public readonly record struct ProductPlan
{
    private const int LargeTile = 128;
    private const int SmallTile = 64;
    private const int LargeThreads = 256;
    private const int SmallThreads = 128;
    private const int Depth = 16;
    private const int Stages = 4;

    /// <summary>Lines of a stage end four numbers later, so that they do not meet in one bank.</summary>
    private const int Padding = 4;

    private readonly bool _large;
    private readonly int _rows, _columns;

    /// <summary>Chooses the tiles: large ones where they keep every multiprocessor at work.</summary>
    /// <param name="rows">Of the product.</param>
    /// <param name="columns">Of the product.</param>
    /// <param name="device">The card.</param>
    public ProductPlan(long rows, long columns, ICudaDevice device)
    {
        _large = rows > SmallTile && columns > SmallTile
            && (long)CudaSize.Pieces(rows, LargeTile) * CudaSize.Pieces(columns, LargeTile) >= device.MultiprocessorCount;
        (_rows, _columns) = (CudaSize.Pieces(rows, Tile), CudaSize.Pieces(columns, Tile));
    }

    /// <summary>Tiles of a row of tiles.</summary>
    public int Across => _columns;

    /// <summary>Tiles.</summary>
    public int Count => checked(_rows * _columns);

    /// <summary>Launches a block a tile.</summary>
    /// <param name="cuda">Where.</param>
    /// <param name="kernel">Its name without "_large" or "_small".</param>
    /// <param name="arguments">In the order of the parameters.</param>
    public void Launch(CudaLauncher cuda, string kernel, params ReadOnlySpan<CudaArgument> arguments) => Launch(cuda, kernel, slices: 1, arguments);

    /// <summary>Launches a block a tile and slice of the sum, which is along y.</summary>
    public void Launch(CudaLauncher cuda, string kernel, int slices, params ReadOnlySpan<CudaArgument> arguments) => cuda.Launch(
        kernel + (_large ? "_large" : "_small"), new CudaSize(Count, slices), _large ? LargeThreads : SmallThreads,
        2 * Tile * (Depth + Padding) * Stages * sizeof(float), arguments);

    private int Tile => _large ? LargeTile : SmallTile;
}
