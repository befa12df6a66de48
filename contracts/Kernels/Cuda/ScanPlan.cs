namespace Zoo.Kernels.Cuda;

/// <summary>How a scan over [batch, time, dim] is cut among blocks and warps, and how its kernels are launched: the host side of scan.cuh.</summary>
public readonly record struct ScanPlan
{
    /// <summary>Sequences that a scan takes at the most.</summary>
    public const int MostSequences = ushort.MaxValue;

    private const int Lanes = 32;
    private const int StepsOfWarp = 8;
    private const int MostWarps = 16;
    private const int ThreadsOfCarry = 128;
    private const int RowsAtOnce = 8;    // AddRowsAtOnce of zoo.cuh

    /// <summary>Blocks that a multiprocessor holds at most: ZOO_SCAN_BOUNDS.</summary>
    private const int BlocksOfMultiprocessor = 2;

    private readonly int _batch, _length, _dims, _numbers, _changeNumbers, _chunkLength;

    /// <summary>Cuts a scan for a card.</summary>
    /// <param name="batch">Sequences.</param>
    /// <param name="length">Steps.</param>
    /// <param name="dims">Dimensions of a step.</param>
    /// <param name="device">The card.</param>
    /// <param name="numbers">Floats of a carried number: 2 where it is complex.</param>
    /// <param name="changeNumbers">Floats of a Change: 2 of an Affine.</param>
    public ScanPlan(int batch, int length, int dims, ICudaDevice device, int numbers = 1, int changeNumbers = 2)
    {
        (_batch, _length, _dims, _numbers, _changeNumbers) = (batch, length, dims, numbers, changeNumbers);
        Warps = Math.Clamp(CudaSize.Pieces(_length, StepsOfWarp), 1, MostWarps);
        var tile = Warps * StepsOfWarp;
        var blocks = Math.Max(1, _batch * CudaSize.Pieces(_dims, Lanes));
        var room = device.MultiprocessorCount * BlocksOfMultiprocessor;
        // A chunk of fewer than four tiles is not worth being read twice.
        var chunks = Math.Max(1, Math.Min(Math.Min(room / blocks, _length / (4 * tile)), MostSequences / Math.Max(1, _batch)));
        _chunkLength = CudaSize.Pieces(CudaSize.Pieces(_length, chunks), tile) * tile;
        Chunks = Math.Max(1, CudaSize.Pieces(_length, Math.Max(1, _chunkLength)));
    }

    /// <summary>Warps of a block.</summary>
    public int Warps { get; }

    /// <summary>Pieces of time.</summary>
    public int Chunks { get; }

    /// <summary>The number that each chunk starts from: the sequence's own where there is one chunk.</summary>
    /// <param name="cuda">Where.</param>
    /// <param name="initial">[batch, dim]; absent for zero.</param>
    /// <param name="ends">The kernel that reduces chunks: (inputs…, Change* ends, int length, int dims, int chunks, int chunk_length).</param>
    /// <param name="carry">The kernel that calls scan_carry: (const Change* ends, const float* initial, float* starts, int batch, int dims, int chunks).</param>
    /// <param name="inputs">What <paramref name="ends"/> takes first.</param>
    public KernelArray Starts(CudaLauncher cuda, KernelArray initial, string ends, string carry, params ReadOnlySpan<CudaArgument> inputs)
    {
        if (Chunks == 1)
            return initial;
        var count = (long)_batch * Chunks * _dims;
        var (parts, starts) = (cuda.Scratch(count, _changeNumbers * sizeof(float)), cuda.Scratch(count, _numbers * sizeof(float)));
        cuda.Launch(ends, Grid, Block, 0, [.. inputs, parts, _length, _dims, Chunks, _chunkLength]);
        cuda.Launch(carry, CudaSize.Pieces((long)_batch * _dims, ThreadsOfCarry), ThreadsOfCarry, 0, parts, initial, starts, _batch, _dims, Chunks);
        return starts;
    }

    /// <summary>Warps of all blocks: rows of what each warp sums over its own steps, which <see cref="AddShares"/> puts together.</summary>
    public int Shares => _batch * Chunks * Warps;

    /// <summary>Adds the shares of all warps, [shares, count], in their order.</summary>
    /// <param name="cuda">Where.</param>
    /// <param name="kernel">The kernel that calls add_rows: (const float* rows, float* sums, int rows, int count).</param>
    /// <param name="shares">What the warps found.</param>
    /// <param name="sums">Where the sums go.</param>
    /// <param name="count">Numbers of a share.</param>
    public void AddShares(CudaLauncher cuda, string kernel, KernelArray shares, KernelArray sums, int count) =>
        cuda.Launch(kernel, CudaSize.Pieces(count, Lanes), new CudaSize(Lanes, RowsAtOnce), 0, shares, sums, Shares, count);

    /// <summary>Launches the scan itself: (arrays…, int length, int dims, int chunks, int chunk_length).</summary>
    public void Launch(CudaLauncher cuda, string kernel, params ReadOnlySpan<CudaArgument> arrays) =>
        cuda.Launch(kernel, Grid, Block, 0, [.. arrays, _length, _dims, Chunks, _chunkLength]);

    private CudaSize Grid => new(CudaSize.Pieces(_dims, Lanes), _batch * Chunks);

    private CudaSize Block => new(Lanes, Warps);
}
