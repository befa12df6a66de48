namespace Zoo.Kernels;

/// <summary>A backend of an optimiser's update that takes lists of tensors.</summary>
internal interface IUpdateKernel
{
    /// <summary>Why it cannot take this list; null when it can.</summary>
    string? WhyNot(IReadOnlyList<UpdatedTensor> tensors);

    /// <summary>Updates a list of tensors of any layout, at least one.</summary>
    /// <returns>The norm of all gradients where <paramref name="largestNorm"/> is above 0, else null. Where it is not finite, nothing was updated.</returns>
    double? Update(IReadOnlyList<UpdatedTensor> tensors, IUpdateRule rule, double largestNorm);
}
