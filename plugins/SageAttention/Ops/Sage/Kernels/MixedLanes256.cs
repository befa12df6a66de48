using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>256 bits.</summary>
/// <param name="value">The register.</param>
internal readonly unsafe struct MixedLanes256(Vector256<int> value) : IMixedLanes<MixedLanes256>
{
    private readonly Vector256<int> _value = value;

    private Vector256<float> Single
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _value.AsSingle();
    }

    public static int Count => 8;

    public static MixedLanes256 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector256<int>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 Create(float value) => new(Vector256.Create(value).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 Create(int bits) => new(Vector256.Create(bits));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 Load(void* source) => new(Vector256.Load((int*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 LoadInt8(sbyte* source)
    {
        if (Avx2.IsSupported)
            return new(Avx2.ConvertToVector256Int32(source));
        var words = Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(long*)source).AsSByte());
        return new(Vector256.Create(Vector128.WidenLower(words), Vector128.WidenUpper(words)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(void* target) => _value.Store((int*)target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 Pack(MixedLanes256 low, MixedLanes256 high) => new(Avx2.IsSupported
        ? Avx2.Permute4x64(Avx2.PackSignedSaturate(low._value, high._value).AsInt64(), 0b11_01_10_00).AsInt32()
        : Vector256.NarrowWithSaturation(low._value, high._value).AsInt32());

    public static bool AddsProducts
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => AvxVnni.IsSupported;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 Pairs(MixedLanes256 a, MixedLanes256 b) => new(Pairs(a._value.AsInt16(), b._value.AsInt16()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 AddPairs(MixedLanes256 sum, MixedLanes256 a, MixedLanes256 b)
    {
        Vector256<short> x = a._value.AsInt16(), y = b._value.AsInt16();
        return new(AvxVnni.IsSupported ? AvxVnni.MultiplyWideningAndAdd(sum._value, x, y) : sum._value + Pairs(x, y));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 AddQuads(MixedLanes256 sum, MixedLanes256 a, MixedLanes256 b)
    {
        if (AvxVnni.IsSupported)
            return new(AvxVnni.MultiplyWideningAndAdd(sum._value, a._value.AsByte(), b._value.AsSByte()));
        var even = Pairs((a._value & Vector256.Create(0x00ff00ff)).AsInt16(), b._value.AsInt16() << 8 >> 8);
        var odd = Pairs((a._value.AsUInt16() >> 8).AsInt16(), b._value.AsInt16() >> 8);
        return new(sum._value + even + odd);
    }

    /// <summary>a₀b₀ + a₁b₁ of each two neighbours.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<int> Pairs(Vector256<short> x, Vector256<short> y)
    {
        if (Avx2.IsSupported)
            return Avx2.MultiplyAddAdjacent(x, y);
        var (a, b) = (x.AsInt32(), y.AsInt32());
        return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 AddInt32(MixedLanes256 a, MixedLanes256 b) => new(a._value + b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 ShiftLeft(MixedLanes256 a, int count) => new(a._value << count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 And(MixedLanes256 a, MixedLanes256 b) => new(a._value & b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 Or(MixedLanes256 a, MixedLanes256 b) => new(a._value | b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 ToSingle(MixedLanes256 a) => new(Vector256.ConvertToSingle(a._value).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 ToInt32(MixedLanes256 a) =>
        new(Avx.IsSupported ? Avx.ConvertToVector256Int32(a.Single) : Vector256.ConvertToInt32Native(Vector256.Round(a.Single)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 Truncate(MixedLanes256 a) => new(Vector256.ConvertToInt32Native(a.Single));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 Add(MixedLanes256 a, MixedLanes256 b) => new((a.Single + b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 Subtract(MixedLanes256 a, MixedLanes256 b) => new((a.Single - b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 Multiply(MixedLanes256 a, MixedLanes256 b) => new((a.Single * b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 Divide(MixedLanes256 a, MixedLanes256 b) => new((a.Single / b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 MultiplyAdd(MixedLanes256 a, MixedLanes256 b, MixedLanes256 c) =>
        new(Vector256.MultiplyAddEstimate(a.Single, b.Single, c.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes256 Max(MixedLanes256 a, MixedLanes256 b) => new(Vector256.MaxNative(a.Single, b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxOf(MixedLanes256 a) =>
        MixedLanes128.MaxOf(new(Larger(a.Single).AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MaxOf(MixedLanes256 a, MixedLanes256 b, MixedLanes256 c, MixedLanes256 d) =>
        MaxOf(a.Single, b.Single, c.Single, d.Single);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<float> MaxOf(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) =>
        MixedLanes128.MaxOf(Larger(a), Larger(b), Larger(c), Larger(d));

    /// <summary>The larger of each number and the one half a register on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Larger(Vector256<float> a) => Vector128.MaxNative(a.GetLower(), a.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int SumInt32(MixedLanes256 a) => Vector256.Sum(a._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float SumOf(MixedLanes256 a) => Vector256.Sum(a.Single);
}
