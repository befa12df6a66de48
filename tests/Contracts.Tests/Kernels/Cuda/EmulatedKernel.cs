using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.Tests.Kernels.Cuda;

/// <summary>Launches one kernel of a .cu file of this assembly on the emulator, or on a card, on arrays of exactly the sizes given.</summary>
internal static class EmulatedKernel
{
    public delegate CudaArgument[] Arguments(Func<float[], KernelArray> array);

    /// <summary>Runs it and gives back every float array, as the kernel left it.</summary>
    public static List<float[]> Run(
        string file, string kernel, CudaSize grid, CudaSize block, Arguments arguments, int sharedBytes = 0,
        CudaSchedule schedule = CudaSchedule.Ascending, int architecture = 90, ICudaDevice? device = null)
    {
        if (device is null)
            EmulatedOp.Require();
        device ??= new CudaEmulator(architecture, schedule);
        var buffers = new List<(KernelArray Array, int Length)>();
        try
        {
            var given = arguments(values => Upload(values));
            using var launcher = new CudaLauncher(device, CudaSource.Of(typeof(EmulatedKernel).Assembly, file), "a test");
            launcher.Launch(kernel, grid, block, sharedBytes, given);
            return [.. buffers.Select(b => Download(b.Array))];
        }
        finally
        {
            foreach (var (array, _) in buffers)
                device.Free(array.Pointer);
        }

        unsafe KernelArray Upload(float[] values)
        {
            var array = new KernelArray(device.Allocate(values.Length * sizeof(float)), values.Length);
            buffers.Add((array, values.Length));
            fixed (float* host = values)
                device.CopyIn(array.Pointer, (nint)host, array.Bytes);
            return array;
        }

        unsafe float[] Download(KernelArray array)
        {
            var values = new float[array.Length];
            fixed (float* host = values)
                device.CopyOut(array.Pointer, (nint)host, array.Bytes);
            return values;
        }
    }
}
