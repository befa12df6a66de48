using Zoo.Kernels;

namespace Zoo.MatMulFree.Ops.BitLinear;

/// <summary>Sizes and options of a call.</summary>
/// <param name="Rows">Tokens.</param>
/// <param name="Inputs">D.</param>
/// <param name="Outputs">E.</param>
/// <param name="Epsilon">Of the norm.</param>
/// <param name="HasBias">Whether a bias is given and, in the fused form, used.</param>
internal readonly record struct BitLinearSizes(long Rows, int Inputs, int Outputs, double Epsilon, bool HasBias)
{
    private const double FusedEpsilon = 1e-6, UnfusedEpsilon = 1e-8;

    /// <param name="call">Its sizes and options; its tensors may be gone when a backward runs.</param>
    /// <param name="x">The input: how many rows there are, is not among the sizes.</param>
    public static BitLinearSizes Of(OpCall call, KernelArray x) => Of(call, x.Length / call.Size("D"));

    /// <summary>For a call whose tensors are there.</summary>
    public static BitLinearSizes Of(OpCall call) => Of(call, call.Inputs["x"].shape[..^1].Aggregate(1L, (a, b) => a * b));

    private static BitLinearSizes Of(OpCall call, long rows)
    {
        var fused = call.Options.Get("fused", true);
        return new(
            rows, call.Count("D"), call.Count("E"), call.Options.Get("norm_eps", fused ? FusedEpsilon : UnfusedEpsilon), fused && call.Has("bias"));
    }
}
