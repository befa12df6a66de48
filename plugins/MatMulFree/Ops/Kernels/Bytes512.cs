using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>64 bytes. Where the processor has no such vectors it is two of 32, for tests.</summary>
/// <param name="value">The vector.</param>
internal unsafe struct Bytes512(Vector512<byte> value) : IByteLanes<Bytes512>
{
    private Vector512<byte> _value = value;

    public static int Count => 64;

    public static Bytes512 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector512<byte>.Zero);
    }

    private readonly Bytes256 Lower
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(_value.GetLower());
    }

    private readonly Bytes256 Upper
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(_value.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 Create(byte value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 Create(short value) => new(Vector512.Create(value).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 Load(void* source) => new(Vector512.Load((byte*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 Spread(sbyte* four) => new(Vector512.Create(*(int*)four).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 LoadBlock(void* source) => new(Vector512.Create(Vector256.Load((byte*)source), Vector256<byte>.Zero));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(void* target) => _value.Store((byte*)target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 operator &(Bytes512 a, Bytes512 b) => new(a._value & b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 ShiftRight(Bytes512 a, int count) => new((a._value.AsUInt16() >> count).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AccumulateInt16(Bytes512 a) => _value = (_value.AsInt16() + a._value.AsInt16()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 AddInt16(Bytes512 a, Bytes512 b) => new((a._value.AsInt16() + b._value.AsInt16()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 AddInt32(Bytes512 a, Bytes512 b) => new((a._value.AsInt32() + b._value.AsInt32()).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 MultiplyBytes(Bytes512 unsigned, Bytes512 signed) => Avx512BW.IsSupported
        ? new(Avx512BW.MultiplyAddAdjacent(unsigned._value, signed._value.AsSByte()).AsByte())
        : Join(Bytes256.MultiplyBytes(unsigned.Lower, signed.Lower), Bytes256.MultiplyBytes(unsigned.Upper, signed.Upper));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 MultiplyLoadedBytes(Bytes512 unsigned, sbyte* signed) => Avx512BW.IsSupported
        ? new(Avx512BW.MultiplyAddAdjacent(unsigned._value, Vector512.Load(signed)).AsByte())
        : MultiplyBytes(unsigned, Load(signed));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bytes512 MultiplyInt16(Bytes512 a, Bytes512 b) => Avx512BW.IsSupported
        ? new(Avx512BW.MultiplyAddAdjacent(a._value.AsInt16(), b._value.AsInt16()).AsByte())
        : Join(Bytes256.MultiplyInt16(a.Lower, b.Lower), Bytes256.MultiplyInt16(a.Upper, b.Upper));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreScaled(Bytes512 sums, int shift, float factor, float* target) =>
        (Vector512.ConvertToSingle(sums._value.AsInt32() - Vector512.Create(shift)) * Vector512.Create(factor)).Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Sums(Bytes512 a, Bytes512 b, Bytes512 c, Bytes512 d) => Bytes256.Sums(
        Bytes256.AddInt32(a.Lower, a.Upper), Bytes256.AddInt32(b.Lower, b.Upper), Bytes256.AddInt32(c.Lower, c.Upper), Bytes256.AddInt32(d.Lower, d.Upper));

    private static Bytes512 Join(Bytes256 lower, Bytes256 upper)
    {
        var bytes = stackalloc byte[Count];
        lower.Store(bytes);
        upper.Store(bytes + Bytes256.Count);
        return Load(bytes);
    }
}
