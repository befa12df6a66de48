namespace Zoo.Kernels;

/// <summary>What an op cannot do without: its floor is the larger of bytes over memory rate, and flops and exponentials over their rates.</summary>
/// <param name="Bytes">Bytes read and written, each tensor once.</param>
/// <param name="Flops">Multiplications and additions, two a fused one.</param>
/// <param name="Exponentials">Exponentials, logarithms and the like.</param>
public sealed record OpCost(double Bytes, double Flops, double Exponentials = 0)
{
    /// <summary>Which rate the flops are divided by: "fp32", "bf16" or "int8".</summary>
    public string Arithmetic { get; init; } = "fp32";

    /// <summary>Multiplications and additions of 8-bit integers beside the flops, divided by the rate of "int8".</summary>
    public double Int8Operations { get; init; }
}
