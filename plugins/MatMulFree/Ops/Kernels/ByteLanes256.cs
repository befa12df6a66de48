using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>Bytes in a 256-bit vector.</summary>
internal readonly unsafe struct ByteLanes256(Vector256<byte> value) : IByteLanes<ByteLanes256>
{
    private readonly Vector256<byte> _value = value;

    public static int Count => 8;

    public static ByteLanes256 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector256<byte>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes256 Load(void* source) => new(Vector256.Load((byte*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes256 Spread(sbyte* four) => new(Vector256.Create(*(int*)four).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes256 PairSums(ByteLanes256 codes, ByteLanes256 values) => new(PairSums(codes._value, values._value.AsSByte()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes256 AddShorts(ByteLanes256 a, ByteLanes256 b) => new((a._value.AsInt16() + b._value.AsInt16()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes256 AddIntegers(ByteLanes256 a, ByteLanes256 b) => new((a._value.AsInt32() + b._value.AsInt32()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ByteLanes256 Widen(ByteLanes256 shorts) => new(Widen(shorts._value.AsInt16()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreScaled(ByteLanes256 integers, int shift, float factor, float* target) =>
        (Vector256.ConvertToSingle(integers._value.AsInt32() - Vector256.Create(shift)) * Vector256.Create(factor)).Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<short> PairSums(Vector256<byte> codes, Vector256<sbyte> values) => Avx2.IsSupported
        ? Avx2.MultiplyAddAdjacent(codes, values)
        : Vector256.Create(ByteLanes128.PairSums(codes.GetLower(), values.GetLower()), ByteLanes128.PairSums(codes.GetUpper(), values.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<int> Widen(Vector256<short> shorts) => Avx2.IsSupported
        ? Avx2.MultiplyAddAdjacent(shorts, Vector256<short>.One)
        : Vector256.Create(ByteLanes128.Widen(shorts.GetLower()), ByteLanes128.Widen(shorts.GetUpper()));
}
