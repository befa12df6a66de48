using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>The update in plain tensor code, one tensor after the other. Every backend is tested against this.</summary>
internal static class UpdateReference
{
    /// <summary>Norm, clipping and update; the caller has switched gradients off.</summary>
    /// <returns>The norm where <paramref name="largestNorm"/> is above 0; where it is not finite, nothing was updated.</returns>
    public static double? Run(IReadOnlyList<UpdatedTensor> tensors, IUpdateRule rule, double largestNorm)
    {
        double? norm = null;
        var scale = 1.0;
        if (largestNorm > 0)
        {
            norm = tensors.Count == 0 ? 0 : Norm(tensors);
            if (!double.IsFinite(norm.Value))
                return norm;
            scale = Math.Min(1, largestNorm / (norm.Value + UpdateOp.NormEpsilon));
        }
        using Scalar factor = scale;
        foreach (var tensor in tensors)
        {
            using var scope = NewDisposeScope();
            var gradient = tensor.Gradient.to(tensor.Value.dtype);
            rule.Update(tensor, scale < 1 ? gradient * factor : gradient);
            tensor.LowPrecision?.copy_(tensor.Value);
        }
        return norm;
    }

    private static double Norm(IReadOnlyList<UpdatedTensor> tensors)
    {
        using var scope = NewDisposeScope();
        return stack(tensors.Select(t => t.Gradient.to(t.Value.dtype).norm())).norm().ToDouble();
    }
}
