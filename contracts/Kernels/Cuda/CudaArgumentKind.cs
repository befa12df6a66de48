namespace Zoo.Kernels.Cuda;

/// <summary>What a kernel's parameter is.</summary>
public enum CudaArgumentKind
{
    /// <summary>An address in device memory; null for an absent array.</summary>
    Pointer,

    /// <summary>`int` or `unsigned`.</summary>
    Int32,

    /// <summary>`long long` or `unsigned long long`.</summary>
    Int64,

    /// <summary>`float`.</summary>
    Float32,
}
