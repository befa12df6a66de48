namespace Zoo.Kernels.Cuda;

/// <summary>Where kernels of .cu files run: a card through NVIDIA's driver, or in tests the emulator. Work happens in the order of the calls.</summary>
public interface ICudaDevice
{
    /// <summary>For messages: "NVIDIA H100".</summary>
    string Name { get; }

    /// <summary>Compute capability times ten: 80, 89, 90.</summary>
    int Architecture { get; }

    /// <summary>How many blocks of the largest kind run at once.</summary>
    int MultiprocessorCount { get; }

    /// <summary>Shared memory that a block may have.</summary>
    int SharedBytesPerBlock { get; }

    /// <summary>Why no kernel can be compiled for it, in words for the user; null when they can.</summary>
    string? WhyNoCompiler { get; }

    /// <summary>Compiles the source unless that is done, and runs a kernel of it.</summary>
    /// <exception cref="UserException">The source does not compile or has no such kernel; the message has the compiler's own words.</exception>
    /// <exception cref="EnvironmentException">The driver refuses; the message names the caller and the launch.</exception>
    void Launch(CudaLaunch launch);

    /// <summary>Device memory that holds anything.</summary>
    /// <exception cref="EnvironmentException">There is not so much.</exception>
    nint Allocate(long bytes);

    /// <summary>Gives memory back after the work so far.</summary>
    void Free(nint memory);

    /// <summary>Sets every byte.</summary>
    void Fill(nint memory, byte value, long bytes);

    /// <summary>From host memory to the device; the host memory may change when it returns.</summary>
    void CopyIn(nint memory, nint host, long bytes);

    /// <summary>From the device to host memory, after the work so far.</summary>
    void CopyOut(nint memory, nint host, long bytes);

    /// <summary>Waits until the work so far is done.</summary>
    /// <exception cref="EnvironmentException">Some of it failed.</exception>
    void Synchronize();

    /// <summary>How long the device works on what <paramref name="work"/> asks of it, in milliseconds.</summary>
    double Time(Action work);
}
