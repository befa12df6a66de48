using System.Collections.Concurrent;
using System.Diagnostics;
using Zoo.Kernels.Cuda;

namespace Zoo.CudaEmulation;

/// <summary>
/// A card that is none: kernels of .cu files, compiled by g++, run on the CPU one thread after another, and every access is checked. See README.md.
/// </summary>
/// <param name="architecture">What it claims to be: 80, 89, 90. Code behind __CUDA_ARCH__ is chosen by it.</param>
/// <param name="schedule">In which order threads run.</param>
public sealed unsafe class CudaEmulator(int architecture = 90, CudaSchedule schedule = CudaSchedule.Ascending) : ICudaDevice
{
    private static readonly ConcurrentDictionary<(CudaSource, int), Lazy<EmulatedModule>> Modules = new();
    private static readonly Lock OneLaunch = new();   // a module has one set of fibers

    /// <summary>Why nothing can be emulated here, in words for a skipped test; null when it can.</summary>
    public static string? WhyNone => Gcc.WhyNone;

    /// <summary>Allocations of emulated memory that have not been given back.</summary>
    public static int Allocations => EmulatorMemory.Shared.Count;

    /// <inheritdoc/>
    public string Name => $"the emulated sm_{architecture}";

    /// <inheritdoc/>
    public int Architecture => architecture;

    /// <summary>Few, so that kernels which spread over a card's blocks need little data to show it.</summary>
    public int MultiprocessorCount { get; init; } = 4;

    /// <summary>As the cards of the architecture have it.</summary>
    public int SharedBytesPerBlock => architecture switch
    {
        80 => 163 << 10,
        >= 90 and < 120 => 227 << 10,
        _ => 99 << 10,
    };

    /// <inheritdoc/>
    public string? WhyNoCompiler => WhyNone;

    /// <summary>Makes an emulator the card in use until the result is disposed: ops on CPU tensors run their cuda kernels on it.</summary>
    public static IDisposable Install(int architecture = 90, CudaSchedule schedule = CudaSchedule.Ascending) =>
        CudaDevices.Use(new CudaEmulator(architecture, schedule));

    /// <inheritdoc/>
    public void Launch(CudaLaunch launch)
    {
        var module = Modules.GetOrAdd((launch.Source, architecture), static key => new Lazy<EmulatedModule>(() => new EmulatedModule(key.Item1, key.Item2))).Value;
        lock (OneLaunch)
            module.Run(launch, schedule, EmulatorMemory.Shared);
    }

    /// <inheritdoc/>
    public nint Allocate(long bytes) => EmulatorMemory.Shared.Allocate(bytes);

    /// <inheritdoc/>
    public void Free(nint memory) => EmulatorMemory.Shared.Free(memory);

    /// <inheritdoc/>
    public void Fill(nint memory, byte value, long bytes)
    {
        EmulatorMemory.Shared.Require(memory, bytes);
        new Span<byte>((void*)memory, checked((int)bytes)).Fill(value);
    }

    /// <inheritdoc/>
    public void CopyIn(nint memory, nint host, long bytes)
    {
        EmulatorMemory.Shared.Require(memory, bytes);
        Buffer.MemoryCopy((void*)host, (void*)memory, bytes, bytes);
    }

    /// <inheritdoc/>
    public void CopyOut(nint memory, nint host, long bytes)
    {
        EmulatorMemory.Shared.Require(memory, bytes);
        Buffer.MemoryCopy((void*)memory, (void*)host, bytes, bytes);
    }

    /// <inheritdoc/>
    public void Synchronize()
    {
    }

    /// <inheritdoc/>
    public double Time(Action work)
    {
        var start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
