using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>512 bits.</summary>
/// <param name="value">The register.</param>
internal readonly unsafe struct MixedLanes512(Vector512<int> value) : IMixedLanes<MixedLanes512>
{
    private readonly Vector512<int> _value = value;

    private Vector512<float> Single
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _value.AsSingle();
    }

    public static int Count => 16;

    public static MixedLanes512 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector512<int>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 Create(float value) => new(Vector512.Create(value).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 Create(int bits) => new(Vector512.Create(bits));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 Load(void* source) => new(Vector512.Load((int*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 LoadInt8(sbyte* source)
    {
        if (Avx512F.IsSupported)
            return new(Avx512F.ConvertToVector512Int32(Vector128.Load(source)));
        var words = Vector256.WidenLower(Vector128.Load(source).ToVector256Unsafe());
        return new(Vector512.Create(Vector256.WidenLower(words), Vector256.WidenUpper(words)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(void* target) => _value.Store((int*)target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 Pack(MixedLanes512 low, MixedLanes512 high)
    {
        if (!Avx512BW.IsSupported)
            return new(Vector512.NarrowWithSaturation(low._value, high._value).AsInt32());
        var (first, second) = (Avx512F.ConvertToVector256Int16WithSaturation(low._value), Avx512F.ConvertToVector256Int16WithSaturation(high._value));
        return new(Vector512.Create(first, second).AsInt32());
    }

    public static bool AddsProducts
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => false;       // .NET has no VNNI of 512 bits
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 Pairs(MixedLanes512 a, MixedLanes512 b) => new(Pairs(a._value.AsInt16(), b._value.AsInt16()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 AddPairs(MixedLanes512 sum, MixedLanes512 a, MixedLanes512 b) =>
        new(sum._value + Pairs(a._value.AsInt16(), b._value.AsInt16()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 AddQuads(MixedLanes512 sum, MixedLanes512 a, MixedLanes512 b)
    {
        var even = Pairs((a._value & Vector512.Create(0x00ff00ff)).AsInt16(), b._value.AsInt16() << 8 >> 8);
        var odd = Pairs((a._value.AsUInt16() >> 8).AsInt16(), b._value.AsInt16() >> 8);
        return new(sum._value + even + odd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Pairs(Vector512<short> x, Vector512<short> y) => Avx512BW.IsSupported
        ? Avx512BW.MultiplyAddAdjacent(x, y)
        : Vector512.Create(MixedLanes256.Pairs(x.GetLower(), y.GetLower()), MixedLanes256.Pairs(x.GetUpper(), y.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 AddInt32(MixedLanes512 a, MixedLanes512 b) => new(a._value + b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 ShiftLeft(MixedLanes512 a, int count) => new(a._value << count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 And(MixedLanes512 a, MixedLanes512 b) => new(a._value & b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 Or(MixedLanes512 a, MixedLanes512 b) => new(a._value | b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 ToSingle(MixedLanes512 a) => new(Vector512.ConvertToSingle(a._value).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 ToInt32(MixedLanes512 a) =>
        new(Avx512F.IsSupported ? Avx512F.ConvertToVector512Int32(a.Single) : Vector512.ConvertToInt32Native(Vector512.Round(a.Single)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 Truncate(MixedLanes512 a) => new(Vector512.ConvertToInt32Native(a.Single));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 Add(MixedLanes512 a, MixedLanes512 b) => new((a.Single + b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 Subtract(MixedLanes512 a, MixedLanes512 b) => new((a.Single - b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 Multiply(MixedLanes512 a, MixedLanes512 b) => new((a.Single * b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 Divide(MixedLanes512 a, MixedLanes512 b) => new((a.Single / b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 MultiplyAdd(MixedLanes512 a, MixedLanes512 b, MixedLanes512 c) =>
        new(Vector512.MultiplyAddEstimate(a.Single, b.Single, c.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes512 Max(MixedLanes512 a, MixedLanes512 b) => new(Vector512.MaxNative(a.Single, b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxOf(MixedLanes512 a) =>
        MixedLanes256.MaxOf(new(Larger(a.Single).AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MaxOf(MixedLanes512 a, MixedLanes512 b, MixedLanes512 c, MixedLanes512 d) =>
        MixedLanes256.MaxOf(Larger(a.Single), Larger(b.Single), Larger(c.Single), Larger(d.Single));

    /// <summary>The larger of each number and the one half a register on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Larger(Vector512<float> a) => Vector256.MaxNative(a.GetLower(), a.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int SumInt32(MixedLanes512 a) => Vector512.Sum(a._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float SumOf(MixedLanes512 a) => Vector512.Sum(a.Single);
}
