using static TorchSharp.torch;

namespace Zoo.Kernels.Cuda;

/// <summary>
/// One call of an op's cuda kernels on a card's memory alone: inputs are copied there once, and then forward and backward can be repeated without
/// any other work. For benchmarks, with or without libtorch's CUDA build.
/// </summary>
public sealed class DeviceCall : IDisposable
{
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly List<Tensor> _inputs;              // the host side of a kernel may ask for a type
    private readonly OpCall _call;
    private readonly OpKernel _kernel;
    private readonly KernelArrays _forward;
    private readonly KernelArrays _backward;

    /// <summary>Copies the inputs, and makes room for everything else.</summary>
    /// <param name="op">The op.</param>
    /// <param name="inputs">On the CPU.</param>
    /// <param name="options">Options by name.</param>
    /// <param name="device">The card.</param>
    /// <param name="backward">Whether backward will be called too: for every argument that has a gradient, with gradients of ones for the outputs.</param>
    /// <exception cref="BackendRejectedException">The op has no cuda kernel, or it does not take these inputs.</exception>
    public DeviceCall(Op op, NamedTensors inputs, OpOptions options, ICudaDevice device, bool backward)
    {
        using var scope = NewDisposeScope();
        using var use = CudaDevices.Use(device);
        var leaves = new NamedTensors(inputs.Select(i => KeyValuePair.Create(i.Key, i.Value.detach().requires_grad_(backward && HasGradient(op, i.Key)))));
        _inputs = [.. leaves.Values.Select(leaf => leaf.DetachFromDisposeScope())];
        (_forward, _backward) = (new KernelArrays { Device = device }, new KernelArrays { Device = device });
        try
        {
            op.BackendFor(leaves, options, KernelChoice.Parse($"{op.Name}={KernelChoice.Cuda}"));
            _kernel = op.Kernels.First(k => k.Backend == KernelChoice.Cuda);
            _call = op.Describe(leaves, options);
            foreach (var (name, tensor) in inputs)
            {
                var buffer = DeviceBuffer.Of(device, tensor);
                Add(name, buffer);
                if (backward && HasGradient(op, name))
                    _backward.AddGradient(name, Keep(DeviceBuffer.Like(device, buffer.Array)).Array);
            }
            foreach (var spec in op.OutputSpecsOf(_call))
            {
                Add(spec.Key, new DeviceBuffer(device, Count(spec), spec.Dtype));
                if (backward && spec is { Differentiable: true, Dtype: ScalarType.Float32 })
                    _backward.AddGradient(spec.Key, Keep(DeviceBuffer.Of(device, ones(spec.Shape))).Array);
            }
            foreach (var spec in backward ? _kernel.Saved(_call) : [])
                Add(spec.Key, new DeviceBuffer(device, Count(spec), spec.Dtype));
        }
        catch
        {
            Dispose();
            throw;
        }

        void Add(string name, DeviceBuffer buffer)
        {
            _forward.Add(name, Keep(buffer).Array);
            _backward.Add(name, buffer.Array);
        }

        DeviceBuffer Keep(DeviceBuffer buffer)
        {
            _buffers.Add(buffer);
            return buffer;
        }
    }

    /// <summary>Launches the forward kernels.</summary>
    public void Forward() => _kernel.Forward(_call, _forward);

    /// <summary>Launches the backward kernels; after <see cref="Forward"/>.</summary>
    public void Backward() => _kernel.Backward(_call, _backward);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var buffer in _buffers)
            buffer.Dispose();
        _buffers.Clear();
        foreach (var input in _inputs)
            input.Dispose();
    }

    private static long Count(KernelArraySpec spec) => spec.Shape.Aggregate(1L, (product, size) => product * size);

    private static bool HasGradient(Op op, string name) => op.Arguments.First(a => a.Name == name) is { HasGradient: true, Dtype: null };
}
