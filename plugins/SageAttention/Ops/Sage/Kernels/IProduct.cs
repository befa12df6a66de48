namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>How <see cref="TileProducts"/> multiplies and adds: of each 32 bits some small whole numbers, into one int32.</summary>
/// <remarks>
/// In two steps, so that a kernel can multiply two registers before it adds either: where both steps are one instruction, the first does all and the
/// second nothing.
/// </remarks>
internal interface IProduct<L>
    where L : struct, IMixedLanes<L>
{
    /// <summary>Products of a and b, added within each 32 bits; and <paramref name="sum"/>, where that costs nothing.</summary>
    static abstract L Multiply(L sum, L a, L b);

    /// <summary>The sum with the products that <see cref="Multiply"/> made of it.</summary>
    static abstract L Add(L sum, L products);
}
