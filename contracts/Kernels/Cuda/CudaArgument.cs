namespace Zoo.Kernels.Cuda;

/// <summary>One argument of a launch; arrays and numbers convert to it by themselves. The type must be the parameter's own.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Bits">Its value, from the lowest byte on.</param>
public readonly record struct CudaArgument(CudaArgumentKind Kind, long Bits)
{
    /// <summary>How many bytes it takes.</summary>
    public int Bytes => Kind is CudaArgumentKind.Pointer or CudaArgumentKind.Int64 ? 8 : 4;

    /// <summary>An array's address; null where it is absent.</summary>
    public static implicit operator CudaArgument(KernelArray array) => new(CudaArgumentKind.Pointer, array.Pointer);

    /// <summary>`int`.</summary>
    public static implicit operator CudaArgument(int value) => new(CudaArgumentKind.Int32, (uint)value);

    /// <summary>`unsigned`.</summary>
    public static implicit operator CudaArgument(uint value) => new(CudaArgumentKind.Int32, value);

    /// <summary>`long long`.</summary>
    public static implicit operator CudaArgument(long value) => new(CudaArgumentKind.Int64, value);

    /// <summary>`float`.</summary>
    public static implicit operator CudaArgument(float value) => new(CudaArgumentKind.Float32, BitConverter.SingleToUInt32Bits(value));
}
