using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>
/// A form of Φ, for two vectors at a time: in one by itself every operation waits for the one before, and the other fills the time.
/// </summary>
internal interface IGeluForm
{
    /// <summary>y of each, in its place.</summary>
    static abstract void Values<V>(ref V a, ref V b)
        where V : struct, ILanes<V>;

    /// <summary>The derivative at each, in its place.</summary>
    static abstract void Slopes<V>(ref V a, ref V b)
        where V : struct, ILanes<V>;

    /// <summary>y of each, in its place, and the derivatives, which share most of the work.</summary>
    static abstract void ValuesAndSlopes<V>(ref V a, ref V b, out V slopeA, out V slopeB)
        where V : struct, ILanes<V>;
}
