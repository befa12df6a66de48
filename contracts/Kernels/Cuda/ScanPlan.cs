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
    private const int AffineBytes = 8;

    private readonly int _batch, _length, _dims, _chunkLength;

    /// <summary>Cuts a scan for a card.</summary>
    /// <param name="batch">Sequences.</param>
    /// <param name="length">Steps.</param>
    /// <param name="dims">Dimensions of a step.</param>
    /// <param name="device">The card.</param>
    /// <param name="blocksOfMultiprocessor">Blocks of 16 warps that a multiprocessor holds at most.</param>
    public ScanPlan(int batch, int length, int dims, ICudaDevice device, int blocksOfMultiprocessor)
    {
        (_batch, _length, _dims) = (batch, length, dims);
        Warps = Math.Clamp(CudaSize.Pieces(_length, StepsOfWarp), 1, MostWarps);
        var tile = Warps * StepsOfWarp;
        var blocks = Math.Max(1, _batch * CudaSize.Pieces(_dims, Lanes));
        var room = device.MultiprocessorCount * blocksOfMultiprocessor;
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
    /// <param name="ends">The kernel that reduces chunks: (inputs…, Affine* ends, int length, int dims, int chunks, int chunk_length).</param>
    /// <param name="carry">The kernel that calls scan_carry: (const Affine* ends, const float* initial, float* starts, int batch, int dims, int chunks).</param>
    /// <param name="inputs">What <paramref name="ends"/> takes first.</param>
    public KernelArray Starts(CudaLauncher cuda, KernelArray initial, string ends, string carry, params ReadOnlySpan<CudaArgument> inputs)
    {
        if (Chunks == 1)
            return initial;
        var count = (long)_batch * Chunks * _dims;
        var (parts, starts) = (cuda.Scratch(count, AffineBytes), cuda.Scratch(count));
        cuda.Launch(ends, Grid, Block, 0, [.. inputs, parts, _length, _dims, Chunks, _chunkLength]);
        cuda.Launch(carry, CudaSize.Pieces((long)_batch * _dims, ThreadsOfCarry), ThreadsOfCarry, 0, parts, initial, starts, _batch, _dims, Chunks);
        return starts;
    }

    /// <summary>Launches the scan itself: (arrays…, int length, int dims, int chunks, int chunk_length).</summary>
    public void Launch(CudaLauncher cuda, string kernel, params ReadOnlySpan<CudaArgument> arrays) =>
        cuda.Launch(kernel, Grid, Block, 0, [.. arrays, _length, _dims, Chunks, _chunkLength]);

    private CudaSize Grid => new(CudaSize.Pieces(_dims, Lanes), _batch * Chunks);

    private CudaSize Block => new(Lanes, Warps);
}
