using static TorchSharp.torch;

namespace Zoo.Kernels.Cuda;

/// <summary>Memory on a card without libtorch: how ops run on a GPU where libtorch was built for the CPU alone.</summary>
public sealed class DeviceBuffer : IDisposable
{
    private const byte NotANumber = 0xFF;   // four of them are a float32 NaN

    private readonly ICudaDevice _device;
    private nint _memory;

    /// <summary>New memory that holds NaN.</summary>
    /// <param name="device">The card.</param>
    /// <param name="count">How many elements.</param>
    /// <param name="dtype">Their type.</param>
    /// <exception cref="EnvironmentException">There is not so much.</exception>
    public DeviceBuffer(ICudaDevice device, long count, ScalarType dtype = ScalarType.Float32)
        : this(device, new KernelArray(0, count) { ElementBytes = (int)ElementSize(dtype) })
    {
    }

    private DeviceBuffer(ICudaDevice device, KernelArray like)
    {
        _device = device;
        _memory = device.Allocate(like.Bytes);
        Array = like with { Pointer = _memory };
        device.Fill(_memory, NotANumber, like.Bytes);
    }

    /// <summary>The memory, as kernels take it.</summary>
    public KernelArray Array { get; }

    /// <summary>A copy of a CPU tensor, in C order.</summary>
    public static DeviceBuffer Of(ICudaDevice device, Tensor tensor)
    {
        using var contiguous = tensor.contiguous();
        var buffer = Of(device, KernelArray.Of(contiguous));
        GC.KeepAlive(contiguous);
        return buffer;
    }

    /// <summary>A new CPU tensor with a copy of it.</summary>
    /// <param name="shape">Sizes; as many elements as it has.</param>
    /// <param name="dtype">Of the size that its elements have.</param>
    public Tensor ToTensor(long[] shape, ScalarType dtype = ScalarType.Float32)
    {
        var tensor = empty(shape, dtype);
        CopyTo(KernelArray.Of(tensor));
        GC.KeepAlive(tensor);
        return tensor;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _memory, 0) is not 0 and var memory)
            _device.Free(memory);
    }

    private static long ElementSize(ScalarType dtype)
    {
        using var none = empty([0], dtype);
        return none.ElementSize;
    }

    /// <summary>A copy of host memory.</summary>
    internal static DeviceBuffer Of(ICudaDevice device, KernelArray host)
    {
        var buffer = new DeviceBuffer(device, host);
        if (host.Length > 0)
            device.CopyIn(buffer._memory, host.Pointer, host.Bytes);
        return buffer;
    }

    /// <summary>Memory like it, that holds NaN.</summary>
    internal static DeviceBuffer Like(ICudaDevice device, KernelArray host) => new(device, host);

    /// <summary>Copies it to host memory of the same size.</summary>
    internal void CopyTo(KernelArray host)
    {
        if (host.Bytes != Array.Bytes)
            throw new ArgumentException($"{Array.Bytes} bytes do not fit into {host.Bytes}.");
        if (host.Length > 0)
            _device.CopyOut(Array.Pointer, host.Pointer, host.Bytes);
    }
}
