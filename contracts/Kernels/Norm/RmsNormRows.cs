using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The cpu backend of <see cref="RmsNorm"/> for kernels that have rows at hand: the same bits as the op gives.</summary>
public static unsafe class RmsNormRows
{
    /// <summary>y = s / √(mean(s²) + ε) · weight with s = x + residual, row by row.</summary>
    /// <param name="rows">How many.</param>
    /// <param name="dim">Numbers of a row.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="x">[row, dim].</param>
    /// <param name="residual">[row, dim]; null for zero.</param>
    /// <param name="weight">[dim].</param>
    /// <param name="sum">Gets s, [row, dim]; null where there is no residual.</param>
    /// <param name="y">[row, dim].</param>
    public static void Run(long rows, int dim, double epsilon, float* x, float* residual, float* weight, float* sum, float* y) => Simd.Run(new NormForward
    {
        Rows = rows,
        Dim = dim,
        Epsilon = epsilon,
        X = x,
        Residual = residual,
        Weight = weight,
        Sum = sum,
        Y = y,
    });
}
