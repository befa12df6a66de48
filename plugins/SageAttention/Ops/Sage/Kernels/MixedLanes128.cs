using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>128 bits.</summary>
/// <param name="value">The register.</param>
internal readonly unsafe struct MixedLanes128(Vector128<int> value) : IMixedLanes<MixedLanes128>
{
    private readonly Vector128<int> _value = value;

    private Vector128<float> Single
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _value.AsSingle();
    }

    public static int Count => 4;

    public static MixedLanes128 Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Vector128<int>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 Create(float value) => new(Vector128.Create(value).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 Create(int bits) => new(Vector128.Create(bits));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 Load(void* source) => new(Vector128.Load((int*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 LoadInt8(sbyte* source)
    {
        var bytes = Vector128.CreateScalarUnsafe(*(int*)source).AsSByte();
        return new(Vector128.WidenLower(Vector128.WidenLower(bytes)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(void* target) => _value.Store((int*)target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 Pack(MixedLanes128 low, MixedLanes128 high) => new(Vector128.NarrowWithSaturation(low._value, high._value).AsInt32());

    public static bool AddsProducts
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => AvxVnni.IsSupported;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 Pairs(MixedLanes128 a, MixedLanes128 b) => new(Pairs(a._value.AsInt16(), b._value.AsInt16()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 AddPairs(MixedLanes128 sum, MixedLanes128 a, MixedLanes128 b)
    {
        Vector128<short> x = a._value.AsInt16(), y = b._value.AsInt16();
        return new(AvxVnni.IsSupported ? AvxVnni.MultiplyWideningAndAdd(sum._value, x, y) : sum._value + Pairs(x, y));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 AddQuads(MixedLanes128 sum, MixedLanes128 a, MixedLanes128 b)
    {
        if (AvxVnni.IsSupported)
            return new(AvxVnni.MultiplyWideningAndAdd(sum._value, a._value.AsByte(), b._value.AsSByte()));
        var even = Pairs((a._value & Vector128.Create(0x00ff00ff)).AsInt16(), b._value.AsInt16() << 8 >> 8);
        var odd = Pairs((a._value.AsUInt16() >> 8).AsInt16(), b._value.AsInt16() >> 8);
        return new(sum._value + even + odd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Pairs(Vector128<short> x, Vector128<short> y)
    {
        if (Sse2.IsSupported)
            return Sse2.MultiplyAddAdjacent(x, y);
        if (AdvSimd.Arm64.IsSupported)
        {
            var low = AdvSimd.MultiplyWideningLower(x.GetLower(), y.GetLower());
            return AdvSimd.Arm64.AddPairwise(low, AdvSimd.MultiplyWideningUpper(x, y));
        }
        var (a, b) = (x.AsInt32(), y.AsInt32());
        return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 AddInt32(MixedLanes128 a, MixedLanes128 b) => new(a._value + b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 ShiftLeft(MixedLanes128 a, int count) => new(a._value << count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 And(MixedLanes128 a, MixedLanes128 b) => new(a._value & b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 Or(MixedLanes128 a, MixedLanes128 b) => new(a._value | b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 ToSingle(MixedLanes128 a) => new(Vector128.ConvertToSingle(a._value).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 ToInt32(MixedLanes128 a) =>
        new(Sse2.IsSupported ? Sse2.ConvertToVector128Int32(a.Single) : Vector128.ConvertToInt32Native(Vector128.Round(a.Single)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 Truncate(MixedLanes128 a) => new(Vector128.ConvertToInt32Native(a.Single));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 Add(MixedLanes128 a, MixedLanes128 b) => new((a.Single + b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 Subtract(MixedLanes128 a, MixedLanes128 b) => new((a.Single - b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 Multiply(MixedLanes128 a, MixedLanes128 b) => new((a.Single * b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 Divide(MixedLanes128 a, MixedLanes128 b) => new((a.Single / b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 MultiplyAdd(MixedLanes128 a, MixedLanes128 b, MixedLanes128 c) =>
        new(Vector128.MultiplyAddEstimate(a.Single, b.Single, c.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MixedLanes128 Max(MixedLanes128 a, MixedLanes128 b) => new(Vector128.MaxNative(a.Single, b.Single).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxOf(MixedLanes128 a)
    {
        var two = Vector128.MaxNative(a.Single, Vector128.Shuffle(a.Single, Vector128.Create(2, 3, 2, 3)));
        return Vector128.MaxNative(two, Vector128.Shuffle(two, Vector128.Create(1, 1, 1, 1))).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MaxOf(MixedLanes128 a, MixedLanes128 b, MixedLanes128 c, MixedLanes128 d) =>
        MaxOf(a.Single, b.Single, c.Single, d.Single);

    /// <summary>Crosswise: halves of two are laid side by side, twice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<float> MaxOf(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        if (!Sse.IsSupported)
            return Vector128.Create(MaxOf(new(a.AsInt32())), MaxOf(new(b.AsInt32())), MaxOf(new(c.AsInt32())), MaxOf(new(d.AsInt32())));
        var ab = Vector128.MaxNative(Sse.UnpackLow(a, b), Sse.UnpackHigh(a, b));        // a0 or a2, b0 or b2, a1 or a3, b1 or b3
        var cd = Vector128.MaxNative(Sse.UnpackLow(c, d), Sse.UnpackHigh(c, d));
        return Vector128.MaxNative(Sse.MoveLowToHigh(ab, cd), Sse.MoveHighToLow(cd, ab));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int SumInt32(MixedLanes128 a) => Vector128.Sum(a._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float SumOf(MixedLanes128 a) => Vector128.Sum(a.Single);
}
