using System.Runtime.InteropServices;
using TorchSharp;

namespace Zoo.Kernels;

/// <summary>Contiguous memory that a kernel reads or writes, in C order. Absent where an optional argument was not given, or a gradient is not wanted.</summary>
/// <param name="Pointer">The first element, in host or device memory; zero where absent.</param>
/// <param name="Length">How many elements.</param>
public readonly unsafe record struct KernelArray(nint Pointer, long Length)
{
    /// <summary>A tensor's own memory. The tensor must stay alive while it is used: `GC.KeepAlive` after the last use.</summary>
    /// <exception cref="ShapeException">The tensor is not contiguous.</exception>
    public static KernelArray Of(torch.Tensor tensor) => tensor.is_contiguous()
        ? OfContiguous(tensor)
        : throw new ShapeException($"A tensor of shape {Shape.Describe(tensor.shape)} is not contiguous; call contiguous() first.");

    /// <summary>As <see cref="Of"/>, of a tensor that is known to be contiguous.</summary>
    internal static KernelArray OfContiguous(torch.Tensor tensor) =>
        new(TensorData(tensor.Handle), tensor.numel()) { ElementBytes = (int)tensor.ElementSize };

    /// <summary>Size of an element; 4 unless it is said.</summary>
    public int ElementBytes { get; init; } = sizeof(float);

    /// <summary>Size of all elements.</summary>
    public long Bytes => Length * ElementBytes;

    /// <summary>Some of its elements.</summary>
    /// <param name="first">Where they begin.</param>
    /// <param name="count">How many.</param>
    /// <exception cref="ArgumentOutOfRangeException">It has not so many.</exception>
    public KernelArray Slice(long first, long count) => first >= 0 && count >= 0 && first <= Length - count
        ? this with { Pointer = Pointer + (nint)(first * ElementBytes), Length = count }
        : throw new ArgumentOutOfRangeException(nameof(count), $"{count} elements from {first} on are not within {Length}.");

    /// <summary>Whether there is one; an empty array is there without memory.</summary>
    public bool IsPresent => Length >= 0 && this != default;

    /// <summary>The elements as float32; null where absent.</summary>
    public float* Float32 => (float*)Pointer;

    /// <summary>The elements as int64; null where absent.</summary>
    public long* Int64 => (long*)Pointer;

    /// <summary>The elements as float32, for host memory.</summary>
    public Span<float> Span => new((void*)Pointer, checked((int)Length));

    [DllImport("LibTorchSharp", EntryPoint = "THSTensor_data")]
    private static extern nint TensorData(nint tensor);
}
