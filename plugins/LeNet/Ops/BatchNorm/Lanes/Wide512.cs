using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Zoo.LeNet;

/// <summary>16 numbers in two vectors of 512 bits.</summary>
internal readonly unsafe struct Wide512(Vector512<double> low, Vector512<double> high) : IWide<Wide512>
{
    private readonly Vector512<double> _low = low;
    private readonly Vector512<double> _high = high;

    public static int Count => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide512 operator +(Wide512 a, Wide512 b) => new(a._low + b._low, a._high + b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide512 operator -(Wide512 a, Wide512 b) => new(a._low - b._low, a._high - b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide512 operator *(Wide512 a, Wide512 b) => new(a._low * b._low, a._high * b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide512 operator /(Wide512 a, Wide512 b) => new(a._low / b._low, a._high / b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide512 Create(double value) => new(Vector512.Create(value), Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide512 Load(float* source)
    {
        var (low, high) = Vector512.Widen(Vector512.Load(source));
        return new(low, high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide512 LoadWide(double* source) => new(Vector512.Load(source), Vector512.Load(source + Count / 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* target) => Vector512.Narrow(_low, _high).Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreWide(double* target)
    {
        _low.Store(target);
        _high.Store(target + Count / 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide512 MultiplyAdd(Wide512 a, Wide512 b, Wide512 c) =>
        new(Vector512.MultiplyAddEstimate(a._low, b._low, c._low), Vector512.MultiplyAddEstimate(a._high, b._high, c._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide512 Max(Wide512 a, Wide512 b) => new(Vector512.Max(a._low, b._low), Vector512.Max(a._high, b._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Wide512 Sqrt(Wide512 a) => new(Vector512.Sqrt(a._low), Vector512.Sqrt(a._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public double Sum() => Vector512.Sum(_low + _high);
}
