using System.Numerics;

namespace Zoo.LeNet;

/// <summary>
/// A vector of float32 from memory, held and reckoned with as float64. Kernels are written once over it and compiled for each width.
/// </summary>
/// <typeparam name="V">The implementing type.</typeparam>
internal unsafe interface IWide<V> :
    IAdditionOperators<V, V, V>, ISubtractionOperators<V, V, V>, IMultiplyOperators<V, V, V>, IDivisionOperators<V, V, V>
    where V : struct, IWide<V>
{
    /// <summary>How many numbers it holds.</summary>
    static abstract int Count { get; }

    /// <summary>The same number everywhere.</summary>
    static abstract V Create(double value);

    /// <summary>Reads float32.</summary>
    static abstract V Load(float* source);

    /// <summary>Reads float64.</summary>
    static abstract V LoadWide(double* source);

    /// <summary>Writes float32, rounded.</summary>
    void Store(float* target);

    /// <summary>Writes float64.</summary>
    void StoreWide(double* target);

    /// <summary>a·b + c, rounded once where the machine can.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    /// <summary>The larger of each pair; NaN where one is.</summary>
    static abstract V Max(V a, V b);

    /// <summary>Square roots.</summary>
    static abstract V Sqrt(V a);

    /// <summary>The sum of all, in a fixed order.</summary>
    double Sum();
}
