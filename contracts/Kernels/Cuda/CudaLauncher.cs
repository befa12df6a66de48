using System.Runtime.InteropServices;

namespace Zoo.Kernels.Cuda;

/// <summary>What a kernel's host side asks of a device during one call: launches in order, scratch memory that lives as long as the call.</summary>
/// <param name="device">Where.</param>
/// <param name="source">The .cu with the kernels.</param>
/// <param name="caller">Who, in messages: an op's call, whose text has its sizes, or a name.</param>
public sealed unsafe class CudaLauncher(ICudaDevice device, CudaSource source, object caller) : IDisposable
{
    private readonly List<nint> _scratch = [];

    /// <summary>Where it runs: to choose among kernels and sizes.</summary>
    public ICudaDevice Device => device;

    /// <summary>Runs a kernel. A grid without blocks runs nothing, as an empty batch has nothing to do.</summary>
    /// <param name="kernel">Its name, `extern "C"`.</param>
    /// <param name="grid">How many blocks.</param>
    /// <param name="block">How many threads a block, 1 to 1024.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a block, which `zoo::dynamic_shared` gives; static memory is apart from it.</param>
    /// <param name="arguments">In the order of the parameters, each of the parameter's own type.</param>
    public void Launch(string kernel, CudaSize grid, CudaSize block, int sharedBytes, params ReadOnlySpan<CudaArgument> arguments)
    {
        if (grid.Count == 0)
            return;
        var launch = new CudaLaunch(source, kernel, grid, block, sharedBytes, arguments.ToArray(), caller);
        launch.Check(device);
        device.Launch(launch);
    }

    /// <summary>Memory for the rest of this call. It holds anything.</summary>
    /// <param name="count">How many elements.</param>
    /// <param name="elementBytes">Size of one; 4 for float and int.</param>
    public KernelArray Scratch(long count, int elementBytes = sizeof(float))
    {
        var memory = device.Allocate(count * elementBytes);
        _scratch.Add(memory);
        return new KernelArray(memory, count) { ElementBytes = elementBytes };
    }

    /// <summary>Scratch memory with a copy of <paramref name="values"/>: tables of sizes, of addresses.</summary>
    public KernelArray Upload<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        var array = Scratch(values.Length, sizeof(T));
        fixed (T* host = values)
            device.CopyIn(array.Pointer, (nint)host, array.Bytes);
        return array;
    }

    /// <summary>Sets every byte of an array to zero; an absent array stays absent.</summary>
    public void Clear(KernelArray array)
    {
        if (array.Length > 0)
            device.Fill(array.Pointer, 0, array.Bytes);
    }

    /// <summary>Gives the scratch memory back, after the work so far.</summary>
    public void Dispose()
    {
        foreach (var memory in CollectionsMarshal.AsSpan(_scratch))
            device.Free(memory);
        _scratch.Clear();
    }
}
