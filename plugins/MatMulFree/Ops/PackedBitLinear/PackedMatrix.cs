namespace Zoo.MatMulFree.Ops.PackedBitLinear;

/// <summary>A packed ternary layer's memory.</summary>
internal unsafe struct PackedMatrix
{
    /// <summary>As <see cref="TernaryMatmul.TernaryPacking"/> lays them out.</summary>
    public byte* Codes;

    /// <summary>w_scale.</summary>
    public float Scale;

    /// <summary>Weight of the norm, [dim].</summary>
    public float* Norm;

    public int Rows, Dim;

    /// <summary>Of its codes.</summary>
    public readonly long CodeBytes => Rows * TernaryMatmul.TernaryPacking.RowBytes(Dim);
}
