using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>Bytes in a 512-bit vector.</summary>
internal readonly unsafe struct ByteLanes512(Vector512<byte> value) : IByteLanes<ByteLanes512>
{
    private readonly Vector512<byte> _value = value;

    public static int Count => 16;

    public static ByteLanes512 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector512<byte>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes512 Load(void* source) => new(Vector512.Load((byte*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes512 Spread(sbyte* four) => new(Vector512.Create(*(int*)four).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes512 PairSums(ByteLanes512 codes, ByteLanes512 values) => new(PairSums(codes._value, values._value.AsSByte()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes512 AddShorts(ByteLanes512 a, ByteLanes512 b) => new((a._value.AsInt16() + b._value.AsInt16()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes512 AddIntegers(ByteLanes512 a, ByteLanes512 b) => new((a._value.AsInt32() + b._value.AsInt32()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes512 Widen(ByteLanes512 shorts) => new(Widen(shorts._value.AsInt16()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreScaled(ByteLanes512 integers, int shift, float factor, float* target) =>
        (Vector512.ConvertToSingle(integers._value.AsInt32() - Vector512.Create(shift)) * Vector512.Create(factor)).Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> PairSums(Vector512<byte> codes, Vector512<sbyte> values) => Avx512BW.IsSupported
        ? Avx512BW.MultiplyAddAdjacent(codes, values)
        : Vector512.Create(ByteLanes256.PairSums(codes.GetLower(), values.GetLower()), ByteLanes256.PairSums(codes.GetUpper(), values.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Widen(Vector512<short> shorts) => Avx512BW.IsSupported
        ? Avx512BW.MultiplyAddAdjacent(shorts, Vector512<short>.One)
        : Vector512.Create(ByteLanes256.Widen(shorts.GetLower()), ByteLanes256.Widen(shorts.GetUpper()));
}
