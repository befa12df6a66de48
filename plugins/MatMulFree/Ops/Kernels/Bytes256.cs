using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>32 bytes.</summary>
/// <param name="value">The vector.</param>
internal unsafe struct Bytes256(Vector256<byte> value) : IByteLanes<Bytes256>
{
    private Vector256<byte> _value = value;

    public static int Count => 32;

    public static Bytes256 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector256<byte>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 Create(byte value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 Create(short value) => new(Vector256.Create(value).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 Load(void* source) => new(Vector256.Load((byte*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 Spread(sbyte* four) => new(Vector256.Create(*(int*)four).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 LoadBlock(void* source) => Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(void* target) => _value.Store((byte*)target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 operator &(Bytes256 a, Bytes256 b) => new(a._value & b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 ShiftRight(Bytes256 a, int count) => new((a._value.AsUInt16() >> count).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AccumulateInt16(Bytes256 a) => _value = (_value.AsInt16() + a._value.AsInt16()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 AddInt16(Bytes256 a, Bytes256 b) => new((a._value.AsInt16() + b._value.AsInt16()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 AddInt32(Bytes256 a, Bytes256 b) => new((a._value.AsInt32() + b._value.AsInt32()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 MultiplyBytes(Bytes256 unsigned, Bytes256 signed) => Avx2.IsSupported
        ? new(Avx2.MultiplyAddAdjacent(unsigned._value, signed._value.AsSByte()).AsByte())
        : new(Vector256.Create(Bytes128.Multiply(unsigned._value.GetLower(), signed._value.GetLower()), Bytes128.Multiply(unsigned._value.GetUpper(), signed._value.GetUpper())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 MultiplyLoadedBytes(Bytes256 unsigned, sbyte* signed) => Avx2.IsSupported
        ? new(Avx2.MultiplyAddAdjacent(unsigned._value, Vector256.Load(signed)).AsByte())
        : MultiplyBytes(unsigned, Load(signed));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes256 MultiplyInt16(Bytes256 a, Bytes256 b) => Avx2.IsSupported
        ? new(Avx2.MultiplyAddAdjacent(a._value.AsInt16(), b._value.AsInt16()).AsByte())
        : new(Vector256.Create(Bytes128.MultiplyPairs(a._value.GetLower(), b._value.GetLower()), Bytes128.MultiplyPairs(a._value.GetUpper(), b._value.GetUpper())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreScaled(Bytes256 sums, int shift, float factor, float* target) =>
        (Vector256.ConvertToSingle(sums._value.AsInt32() - Vector256.Create(shift)) * Vector256.Create(factor)).Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Sums(Bytes256 a, Bytes256 b, Bytes256 c, Bytes256 d)
    {
        if (!Avx2.IsSupported)
            return Bytes128.SumsOf(Halves(a), Halves(b), Halves(c), Halves(d));
        var sums = Avx2.HorizontalAdd(
            Avx2.HorizontalAdd(a._value.AsInt32(), b._value.AsInt32()), Avx2.HorizontalAdd(c._value.AsInt32(), d._value.AsInt32()));
        return sums.GetLower() + sums.GetUpper();
    }

    private static Vector128<int> Halves(Bytes256 a) => a._value.AsInt32().GetLower() + a._value.AsInt32().GetUpper();
}
