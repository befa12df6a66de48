using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Zoo.LeNet;

/// <summary>4 numbers in two vectors of 128 bits.</summary>
internal readonly unsafe struct Wide128(Vector128<double> low, Vector128<double> high) : IWide<Wide128>
{
    private readonly Vector128<double> _low = low;
    private readonly Vector128<double> _high = high;

    public static int Count => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide128 operator +(Wide128 a, Wide128 b) => new(a._low + b._low, a._high + b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide128 operator -(Wide128 a, Wide128 b) => new(a._low - b._low, a._high - b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide128 operator *(Wide128 a, Wide128 b) => new(a._low * b._low, a._high * b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide128 operator /(Wide128 a, Wide128 b) => new(a._low / b._low, a._high / b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide128 Create(double value) => new(Vector128.Create(value), Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide128 Load(float* source)
    {
        var (low, high) = Vector128.Widen(Vector128.Load(source));
        return new(low, high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide128 LoadWide(double* source) => new(Vector128.Load(source), Vector128.Load(source + Count / 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* target) => Vector128.Narrow(_low, _high).Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreWide(double* target)
    {
        _low.Store(target);
        _high.Store(target + Count / 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide128 MultiplyAdd(Wide128 a, Wide128 b, Wide128 c) =>
        new(Vector128.MultiplyAddEstimate(a._low, b._low, c._low), Vector128.MultiplyAddEstimate(a._high, b._high, c._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide128 Max(Wide128 a, Wide128 b) => new(Vector128.Max(a._low, b._low), Vector128.Max(a._high, b._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide128 Sqrt(Wide128 a) => new(Vector128.Sqrt(a._low), Vector128.Sqrt(a._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public double Sum() => Vector128.Sum(_low + _high);
}
