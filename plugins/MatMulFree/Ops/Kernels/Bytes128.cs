using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>16 bytes; on processors without SSSE3, such as Arm64, in the operations that every vector has.</summary>
/// <param name="value">The vector.</param>
internal unsafe struct Bytes128(Vector128<byte> value) : IByteLanes<Bytes128>
{
    private Vector128<byte> _value = value;

    public static int Count => 16;

    public static Bytes128 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector128<byte>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes128 Create(byte value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes128 Create(short value) => new(Vector128.Create(value).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes128 Load(void* source) => new(Vector128.Load((byte*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes128 Spread(sbyte* four) => new(Vector128.Create(*(int*)four).AsByte());

    public static Bytes128 LoadBlock(void* source) => throw new NotSupportedException("A block is more than such a vector holds.");

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(void* target) => _value.Store((byte*)target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes128 operator &(Bytes128 a, Bytes128 b) => new(a._value & b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes128 ShiftRight(Bytes128 a, int count) => new((a._value.AsUInt16() >> count).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AccumulateInt16(Bytes128 a) => _value = (_value.AsInt16() + a._value.AsInt16()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes128 AddInt16(Bytes128 a, Bytes128 b) => new((a._value.AsInt16() + b._value.AsInt16()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes128 AddInt32(Bytes128 a, Bytes128 b) => new((a._value.AsInt32() + b._value.AsInt32()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes128 MultiplyBytes(Bytes128 unsigned, Bytes128 signed) => new(Multiply(unsigned._value, signed._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes128 MultiplyLoadedBytes(Bytes128 unsigned, sbyte* signed) => new(Multiply(unsigned._value, Vector128.Load(signed).AsByte()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes128 MultiplyInt16(Bytes128 a, Bytes128 b) => new(MultiplyPairs(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreScaled(Bytes128 sums, int shift, float factor, float* target) =>
        (Vector128.ConvertToSingle(sums._value.AsInt32() - Vector128.Create(shift)) * Vector128.Create(factor)).Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Sums(Bytes128 a, Bytes128 b, Bytes128 c, Bytes128 d) =>
        SumsOf(a._value.AsInt32(), b._value.AsInt32(), c._value.AsInt32(), d._value.AsInt32());

    /// <summary><see cref="MultiplyBytes"/> of the vectors themselves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Multiply(Vector128<byte> unsigned, Vector128<byte> signed)
    {
        if (Ssse3.IsSupported)
            return Ssse3.MultiplyAddAdjacent(unsigned, signed.AsSByte()).AsByte();
        var (u, s) = (unsigned.AsUInt16(), signed.AsInt16());
        var even = (u & Vector128.Create((ushort)0xFF)).AsInt16() * Vector128.ShiftRightArithmetic(s << 8, 8);
        var odd = (u >> 8).AsInt16() * Vector128.ShiftRightArithmetic(s, 8);
        return (even + odd).AsByte();
    }

    /// <summary><see cref="MultiplyInt16"/> of the vectors themselves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> MultiplyPairs(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse2.IsSupported)
            return Sse2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()).AsByte();
        var (x, y) = (a.AsInt32(), b.AsInt32());
        var even = Vector128.ShiftRightArithmetic(x << 16, 16) * Vector128.ShiftRightArithmetic(y << 16, 16);
        var odd = Vector128.ShiftRightArithmetic(x, 16) * Vector128.ShiftRightArithmetic(y, 16);
        return (even + odd).AsByte();
    }

    /// <summary><see cref="Sums"/> of the vectors themselves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> SumsOf(Vector128<int> a, Vector128<int> b, Vector128<int> c, Vector128<int> d) => Ssse3.IsSupported
        ? Ssse3.HorizontalAdd(Ssse3.HorizontalAdd(a, b), Ssse3.HorizontalAdd(c, d))
        : Vector128.Create(Vector128.Sum(a), Vector128.Sum(b), Vector128.Sum(c), Vector128.Sum(d));
}
