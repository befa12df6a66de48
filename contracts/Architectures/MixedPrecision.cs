using TorchSharp;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using static TorchSharp.torch;

namespace Zoo.Architectures;

/// <summary>
/// Products with weights in the arithmetic that a run asks for. Between products everything stays in float32: the residual stream,
/// normalisations, recurrences, the loss.
/// </summary>
/// <remarks>
/// In a bf16 run (<see cref="BuildContext.Dtype"/>) parameters are float32, so that the optimiser and checkpoints have the master weights, and
/// each product rounds its two factors to bfloat16, sums in float32 and rounds the result once; gradients likewise. In bf16 inference the
/// matrices themselves may be stored as bfloat16. A processor that cannot multiply bfloat16 numbers
/// (<see cref="ProcessorAbilities.MultipliesBFloat16"/>) multiplies the rounded ones in float32: the same numbers but for the order of sums, at
/// float32's speed. A layer hands its weight over in both cases and need not tell them apart.
/// </remarks>
public static class MixedPrecision
{
    private const int MostExactRows = 8;
    // What `linear` is for: enough rows to lay out the matrix for, and a matrix small enough to stay in the second cache. Larger ones, without gradients, only with vectors of 256
    // bits, where it was measured to be faster than libtorch's product.
    private const int LeastOwnRows = 64;
    private const int MostOwnWeights = 1 << 18;

    /// <summary>x Wᵀ + b.</summary>
    /// <param name="x">[..., in].</param>
    /// <param name="weight">[out, in], float32, or bfloat16 where it is stored so.</param>
    /// <param name="bias">[out], or null.</param>
    /// <param name="arithmetic">The run's: <see cref="BuildContext.Dtype"/>; float32 for a float32 island.</param>
    /// <param name="kernels">
    /// Which backend is wanted of `linear`, which many float32 rows with a matrix of middling size (without gradients perhaps of any) go to on a processor where this is given, and of `bf16_linear`, which a stored matrix
    /// with few rows goes to; libtorch's product and the best there is where null.
    /// </param>
    /// <returns>[..., out], in the type of <paramref name="x"/>.</returns>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor? bias, ScalarType arithmetic, KernelChoice? kernels = null)
    {
        // A few rows, as decoding has them, take as long as reading the matrix, so they can be exact; many are products by libtorch.
        if (weight.dtype == ScalarType.BFloat16 && x.dtype == ScalarType.Float32 && x.numel() <= MostExactRows * weight.size(1))
            return BFloat16Linear.Apply(x, weight, bias, kernels);
        if (kernels is not null && IsOwn(x, weight, arithmetic))
            return LinearProduct.Apply(x, weight, bias, kernels);
        if (arithmetic != ScalarType.BFloat16 && weight.dtype == x.dtype)
            return nn.functional.linear(x, weight, bias);
        using var scope = NewDisposeScope();
        var product = Product(x, weight, isNative: x.device_type != DeviceType.CPU || ProcessorAbilities.MultipliesBFloat16);
        return (bias is null ? product : product + bias.to(x.dtype)).MoveToOuterDisposeScope();
    }

    /// <summary>x Wᵀ + b in equal parts that lie apart: queries, keys and values, say. So none has to be cut out of a wider tensor.</summary>
    /// <param name="x">[..., in].</param>
    /// <param name="weight">[out, in], as for <see cref="Linear"/>.</param>
    /// <param name="bias">[out], or null.</param>
    /// <param name="parts">How many, 1 to 3.</param>
    /// <param name="arithmetic">The run's.</param>
    /// <param name="kernels">As for <see cref="Linear"/>.</param>
    /// <returns>Each [..., out / parts], in the type of <paramref name="x"/>.</returns>
    public static Tensor[] LinearParts(Tensor x, Tensor weight, Tensor? bias, int parts, ScalarType arithmetic, KernelChoice? kernels = null)
    {
        if (kernels is not null && IsOwn(x, weight, arithmetic))
            return LinearProduct.Apply(x, weight, bias, parts, kernels);
        using var scope = NewDisposeScope();
        var (weights, biases) = (weight.chunk(parts, 0), bias?.chunk(parts, 0));
        return [.. weights.Select((w, i) => Linear(x, w, biases?[i], arithmetic, kernels).MoveToOuterDisposeScope())];
    }

    /// <summary>Two layers with GELU between them, y = W₂ gelu(W₁ x + b₁) + b₂: `gelu_mlp` where both products would be `linear`, else one after the other.</summary>
    /// <param name="x">[..., in].</param>
    /// <param name="inWeight">W₁, [hidden, in], as for <see cref="Linear"/>.</param>
    /// <param name="inBias">b₁, [hidden], or null.</param>
    /// <param name="outWeight">W₂, [out, hidden].</param>
    /// <param name="outBias">b₂, [out], or null.</param>
    /// <param name="tanh">Whether GELU is approximated by tanh.</param>
    /// <param name="arithmetic">The run's.</param>
    /// <param name="kernels">Which backends are wanted of `gelu_mlp`, or of `linear` and `gelu`.</param>
    /// <returns>[..., out], in the type of <paramref name="x"/>.</returns>
    public static Tensor GeluMlp(
        Tensor x, Tensor inWeight, Tensor? inBias, Tensor outWeight, Tensor? outBias, bool tanh, ScalarType arithmetic, KernelChoice kernels)
    {
        if (IsOwn(x, inWeight, arithmetic) && outWeight.dtype == ScalarType.Float32 && Math.Max(inWeight.numel(), outWeight.numel()) <= MostOwnWeights)
            return Kernels.GeluMlp.Apply(x, inWeight, inBias, outWeight, outBias, tanh, kernels);
        using var scope = NewDisposeScope();
        var hidden = Gelu.Apply(Linear(x, inWeight, inBias, arithmetic, kernels), tanh, kernels);
        return Linear(hidden, outWeight, outBias, arithmetic, kernels).MoveToOuterDisposeScope();
    }

    private static bool IsOwn(Tensor x, Tensor weight, ScalarType arithmetic) => arithmetic != ScalarType.BFloat16
        && x.device_type == DeviceType.CPU && x.dtype == ScalarType.Float32 && weight.dtype == ScalarType.Float32
        && (weight.numel() <= MostOwnWeights || (Simd.Bits == 256 && !is_grad_enabled())) && x.numel() >= LeastOwnRows * weight.size(1);

    /// <summary>x Wᵀ of factors rounded to bfloat16, itself rounded.</summary>
    internal static Tensor Product(Tensor x, Tensor weight, bool isNative) => isNative
        ? nn.functional.linear(x.to(ScalarType.BFloat16), weight.to(ScalarType.BFloat16)).to(x.dtype)
        : Rounded(nn.functional.linear(Rounded(x, x.dtype), Rounded(weight, x.dtype)), x.dtype);

    /// <summary>The nearest bfloat16 numbers in another type. Its derivative rounds the gradient in the same way.</summary>
    private static Tensor Rounded(Tensor x, ScalarType type) => x.to(ScalarType.BFloat16).to(type);

    /// <summary>Rows of a table; in float32 where the table is stored as bfloat16.</summary>
    /// <param name="ids">int64, any shape.</param>
    /// <param name="table">[row, dim].</param>
    /// <returns>[ids' shape, dim].</returns>
    public static Tensor Embed(Tensor ids, Tensor table)
    {
        using var scope = NewDisposeScope();
        // The backward of index_select adds in any order on a card; that of index sorts first, which the CPU has no need of.
        var rows = table.is_cuda ? table.index(TensorIndex.Tensor(ids.flatten())) : table.index_select(0, ids.flatten());
        return (table.dtype == ScalarType.BFloat16 ? rows.to(ScalarType.Float32) : rows).reshape([.. ids.shape, table.shape[1]]).MoveToOuterDisposeScope();
    }
}
