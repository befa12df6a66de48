using System.Reflection;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Zoo.Host.Runs;

/// <summary>Where a run ran: the run folder's environment.json.</summary>
internal sealed record RunEnvironment
{
    /// <summary>Zoo's version.</summary>
    public required string Zoo { get; init; }

    /// <summary>The contract's version.</summary>
    public required string Contract { get; init; }

    /// <summary>TorchSharp's version.</summary>
    public required string TorchSharp { get; init; }

    /// <summary>The libtorch version that TorchSharp was built for.</summary>
    public required string LibTorch { get; init; }

    /// <summary>The folder that libtorch came from.</summary>
    public required string LibTorchDirectory { get; init; }

    /// <summary>The .NET runtime.</summary>
    public required string Runtime { get; init; }

    /// <summary>The operating system.</summary>
    public required string System { get; init; }

    /// <summary>The processor architecture.</summary>
    public required string Architecture { get; init; }

    /// <summary>The processor's name, where the system says it.</summary>
    public required string? Cpu { get; init; }

    /// <summary>Logical processors that the process may use.</summary>
    public required int Processors { get; init; }

    /// <summary>Threads of the tensor operations.</summary>
    public required int Threads { get; init; }

    /// <summary>The device.</summary>
    public required string Device { get; init; }

    /// <summary>CUDA devices that libtorch sees.</summary>
    public required int CudaDevices { get; init; }

    /// <summary>Backends that were asked for.</summary>
    public required string Kernels { get; init; }

    /// <summary>Which backend each op ran on; empty until the run ends.</summary>
    public IReadOnlyDictionary<string, string> Backends { get; init; } = new Dictionary<string, string>();

    /// <summary>What there is now.</summary>
    public static RunEnvironment Capture(string device, int threads, string kernels) => new()
    {
        Zoo = VersionOf(typeof(RunEnvironment).Assembly),
        Contract = VersionOf(typeof(UserException).Assembly),
        TorchSharp = global::Zoo.Native.LibTorch.TorchSharpVersion,
        LibTorch = global::Zoo.Native.LibTorch.ExpectedVersion,
        LibTorchDirectory = global::Zoo.Native.LibTorch.Load().Directory,
        Runtime = RuntimeInformation.FrameworkDescription,
        System = RuntimeInformation.OSDescription,
        Architecture = RuntimeInformation.ProcessArchitecture.ToString(),
        Cpu = CpuName(),
        Processors = Environment.ProcessorCount,
        Threads = threads,
        Device = device,
        CudaDevices = torch.cuda.is_available() ? torch.cuda.device_count() : 0,
        Kernels = kernels,
    };

    private static string VersionOf(Assembly assembly) =>
        assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
        ?? assembly.GetName().Version!.ToString();

    private static string? CpuName()
    {
        try
        {
            var line = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal));
            return line?.Split(':', 2)[1].Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;   // not Linux
        }
    }
}
