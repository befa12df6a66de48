using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Zoo.LeNet;

/// <summary>8 numbers in two vectors of 256 bits.</summary>
internal readonly unsafe struct Wide256(Vector256<double> low, Vector256<double> high) : IWide<Wide256>
{
    private readonly Vector256<double> _low = low;
    private readonly Vector256<double> _high = high;

    public static int Count => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide256 operator +(Wide256 a, Wide256 b) => new(a._low + b._low, a._high + b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide256 operator -(Wide256 a, Wide256 b) => new(a._low - b._low, a._high - b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide256 operator *(Wide256 a, Wide256 b) => new(a._low * b._low, a._high * b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide256 operator /(Wide256 a, Wide256 b) => new(a._low / b._low, a._high / b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide256 Create(double value) => new(Vector256.Create(value), Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide256 Load(float* source)
    {
        var (low, high) = Vector256.Widen(Vector256.Load(source));
        return new(low, high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide256 LoadWide(double* source) => new(Vector256.Load(source), Vector256.Load(source + Count / 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* target) => Vector256.Narrow(_low, _high).Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreWide(double* target)
    {
        _low.Store(target);
        _high.Store(target + Count / 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide256 MultiplyAdd(Wide256 a, Wide256 b, Wide256 c) =>
        new(Vector256.MultiplyAddEstimate(a._low, b._low, c._low), Vector256.MultiplyAddEstimate(a._high, b._high, c._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide256 Max(Wide256 a, Wide256 b) => new(Vector256.Max(a._low, b._low), Vector256.Max(a._high, b._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide256 Sqrt(Wide256 a) => new(Vector256.Sqrt(a._low), Vector256.Sqrt(a._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public double Sum() => Vector256.Sum(_low + _high);
}
