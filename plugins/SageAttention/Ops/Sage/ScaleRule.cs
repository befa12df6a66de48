namespace Zoo.SageAttention.Ops.Sage;

/// <summary>What keeps a scale from being zero, and how numbers become integers with it.</summary>
internal enum ScaleRule
{
    /// <summary>absmax / levels, and x / scale: upstream's Triton kernel per block.</summary>
    Plain,

    /// <summary>absmax / levels + 10⁻⁷, and x / scale: upstream's Triton kernels per thread.</summary>
    AddedEpsilon,

    /// <summary>max(absmax, 10⁻⁷) / levels, and x · (levels / absmax): upstream's CUDA kernels.</summary>
    Floored,
}
