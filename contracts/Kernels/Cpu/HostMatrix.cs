namespace Zoo.Kernels.Cpu;

/// <summary>A float32 matrix in host memory.</summary>
/// <param name="Data">Its first element.</param>
/// <param name="Rows">How many rows lie in memory.</param>
/// <param name="Columns">How many numbers of a row; they lie together.</param>
/// <param name="RowStride">From a row to the next, in numbers.</param>
public readonly unsafe record struct HostMatrix(nint Data, long Rows, long Columns, long RowStride)
{
    /// <summary>Rows that lie one behind the other.</summary>
    public HostMatrix(float* data, long rows, long columns)
        : this((nint)data, rows, columns, columns)
    {
    }

    /// <summary>Whether what lies in memory is the transpose of what is meant.</summary>
    public bool IsTransposed { get; init; }

    /// <summary>The transposed matrix, on the same memory.</summary>
    public HostMatrix Transposed => this with { IsTransposed = !IsTransposed };

    /// <summary>Some of the rows in memory.</summary>
    public HostMatrix RowRange(long first, long count) => this with { Data = Data + (nint)(first * RowStride * sizeof(float)), Rows = count };

    /// <summary>Some of the columns in memory.</summary>
    public HostMatrix ColumnRange(long first, long count) => this with { Data = Data + (nint)(first * sizeof(float)), Columns = count };
}
