namespace Zoo.Kernels.Cuda;

/// <summary>Blocks of a grid, or threads of a block; a plain number is the first of the three.</summary>
/// <param name="X">Along x.</param>
/// <param name="Y">Along y.</param>
/// <param name="Z">Along z.</param>
public readonly record struct CudaSize(int X, int Y = 1, int Z = 1)
{
    /// <summary>All together.</summary>
    public long Count => (long)X * Y * Z;

    /// <summary>Along x alone.</summary>
    public static implicit operator CudaSize(int x) => new(x);

    /// <summary>How many pieces of <paramref name="size"/> cover <paramref name="count"/>.</summary>
    /// <exception cref="OverflowException">More than 2^31 - 1.</exception>
    public static int Pieces(long count, int size) => checked((int)((count + size - 1) / size));

    /// <summary>As "4 × 8 × 1".</summary>
    public override string ToString() => $"{X} × {Y} × {Z}";
}
