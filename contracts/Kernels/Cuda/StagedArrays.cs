namespace Zoo.Kernels.Cuda;

/// <summary>A call's arrays in a card's memory while the tensors are on the CPU.</summary>
internal sealed class StagedArrays : IDisposable
{
    private readonly List<(DeviceBuffer Buffer, KernelArray Host, bool Back)> _buffers = [];

    /// <summary>Copies what the kernel reads to the card and makes room for what it writes.</summary>
    /// <param name="device">The card.</param>
    /// <param name="host">The call's arrays.</param>
    /// <param name="op">Says which of them are arguments.</param>
    /// <param name="backward">Whether outputs are there already and gradients of inputs are to be filled.</param>
    public StagedArrays(ICudaDevice device, KernelArrays host, Op op, bool backward)
    {
        var arguments = op.Arguments.ToDictionary(a => a.Name, StringComparer.Ordinal);
        Arrays = new KernelArrays { Device = device };
        try
        {
            foreach (var (name, array) in host.All)
            {
                var argument = arguments.GetValueOrDefault(name);
                Arrays.Add(name, Stage(device, array, read: backward || argument is not null, write: !backward && argument is not { Updated: false }));
            }
            foreach (var (name, array) in host.AllGradients)
            {
                var ofInput = arguments.ContainsKey(name);
                Arrays.AddGradient(name, Stage(device, array, read: !ofInput, write: ofInput));
            }
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

    private KernelArray Stage(ICudaDevice device, KernelArray host, bool read, bool write)
    {
        if (!host.IsPresent)
            return host;
        var buffer = read ? DeviceBuffer.Of(device, host) : DeviceBuffer.Like(device, host);
        _buffers.Add((buffer, host, write));
        return buffer.Array;
    }
}
