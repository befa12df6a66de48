using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>Bytes in a 128-bit vector.</summary>
internal readonly unsafe struct ByteLanes128(Vector128<byte> value) : IByteLanes<ByteLanes128>
{
    private readonly Vector128<byte> _value = value;

    public static int Count => 4;

    public static ByteLanes128 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector128<byte>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes128 Load(void* source) => new(Vector128.Load((byte*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes128 Spread(sbyte* four) => new(Vector128.Create(*(int*)four).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes128 PairSums(ByteLanes128 codes, ByteLanes128 values) => new(PairSums(codes._value, values._value.AsSByte()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes128 AddShorts(ByteLanes128 a, ByteLanes128 b) => new((a._value.AsInt16() + b._value.AsInt16()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes128 AddIntegers(ByteLanes128 a, ByteLanes128 b) => new((a._value.AsInt32() + b._value.AsInt32()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes128 Widen(ByteLanes128 shorts) => new(Widen(shorts._value.AsInt16()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreScaled(ByteLanes128 integers, int shift, float factor, float* target) =>
        (Vector128.ConvertToSingle(integers._value.AsInt32() - Vector128.Create(shift)) * Vector128.Create(factor)).Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<short> PairSums(Vector128<byte> codes, Vector128<sbyte> values)
    {
        if (Ssse3.IsSupported)
            return Ssse3.MultiplyAddAdjacent(codes, values);
        // Even and odd bytes apart, as 16-bit numbers: codes are below 128, so that they may count as signed.
        var (c, v) = (codes.AsInt16(), values.AsInt16());
        return (c << 8 >> 8) * (v << 8 >> 8) + (c >> 8) * (v >> 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<int> Widen(Vector128<short> shorts)
    {
        if (Sse2.IsSupported)
            return Sse2.MultiplyAddAdjacent(shorts, Vector128<short>.One);
        var pairs = shorts.AsInt32();
        return (pairs << 16 >> 16) + (pairs >> 16);
    }
}
