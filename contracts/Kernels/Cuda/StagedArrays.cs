namespace Zoo.Kernels.Cuda;

/// <summary>A call's arrays in a card's memory while the tensors are on the CPU.</summary>
internal sealed class StagedArrays : IDisposable
{
    private readonly List<(DeviceBuffer Buffer, KernelArray Host, bool Back)> _buffers = [];

    /// <summary>Copies what the kernel reads to the card and makes room for what it writes.</summary>
    /// <param name="device">The card.</param>
    /// <param name="host">The call's arrays.</param>
    /// <param name="isInput">Whether an array is an argument of the op.</param>
    /// <param name="backward">Whether outputs are there already and gradients of inputs are to be filled.</param>
    public StagedArrays(ICudaDevice device, KernelArrays host, Func<string, bool> isInput, bool backward)
    {
        Arrays = new KernelArrays { Device = device };
        try
        {
            foreach (var (name, array) in host.All)
                Arrays.Add(name, Stage(device, array, write: !backward && !isInput(name)));
            foreach (var (name, array) in host.AllGradients)
                Arrays.AddGradient(name, Stage(device, array, write: isInput(name)));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The same by name, on the card.</summary>
    public KernelArrays Arrays { get; }

    /// <summary>Copies what the kernel wrote back to the tensors.</summary>
    public void CopyBack()
    {
        foreach (var (buffer, host, back) in _buffers)
        {
            if (back)
                buffer.CopyTo(host);
        }
    }

    public void Dispose()
    {
        foreach (var (buffer, _, _) in _buffers)
            buffer.Dispose();
        _buffers.Clear();
    }

    private KernelArray Stage(ICudaDevice device, KernelArray host, bool write)
    {
        if (!host.IsPresent)
            return host;
        var buffer = write ? DeviceBuffer.Like(device, host) : DeviceBuffer.Of(device, host);
        _buffers.Add((buffer, host, write));
        return buffer.Array;
    }
}
