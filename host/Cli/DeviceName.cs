using System.CommandLine;
using System.Globalization;
using TorchSharp;
using Zoo.Kernels.Cuda;

namespace Zoo.Host.Cli;

/// <summary>The `--device` option: cpu, cuda, or cuda:1.</summary>
internal static class DeviceName
{
    /// <summary>Set to 0, libtorch's CUDA is left alone even where it is there: single ops run on the card by their own kernels.</summary>
    public const string TensorsVariable = "ZOO_CUDA_TENSORS";

    private const string Cpu = "cpu";
    private const string Cuda = "cuda";

    /// <summary>A new option; null when it is not given.</summary>
    public static Option<string?> Option() => OptionOf.Text("--device", "DEVICE", "Where to run: cpu (default), cuda, or cuda:n for one of several.");

    /// <summary>The device that was typed, the CPU where none was. libtorch must be loaded.</summary>
    /// <exception cref="UserException">It is none.</exception>
    /// <exception cref="EnvironmentException">It is not here.</exception>
    public static torch.Device Parse(string? typed)
    {
        if (Index(typed) is not { } index)
            return torch.CPU;
        if (!torch.cuda.is_available())
        {
            throw new EnvironmentException(
                $"--device {typed}: libtorch sees no CUDA device here. `zoo doctor` says whether the driver or libtorch's CUDA build is missing.");
        }
        var count = torch.cuda.device_count();
        return index < count ? new torch.Device(DeviceType.CUDA, index)
            : throw new EnvironmentException($"--device {typed}: there {(count == 1 ? "is 1 CUDA device" : $"are {count} CUDA devices")}, counted from 0.");
    }

    /// <summary>
    /// The device that was typed, for what runs single ops: they need no CUDA in libtorch. Where it has none, tensors stay on the CPU.
    /// </summary>
    /// <returns>Where tensors live, and the card, where one was typed.</returns>
    /// <exception cref="UserException">It is none.</exception>
    /// <exception cref="EnvironmentException">It is not here.</exception>
    public static (torch.Device Device, ICudaDevice? Card) ParseForOps(string? typed)
    {
        if (Index(typed) is not { } index)
            return (torch.CPU, null);
        var tensorsToo = CudaDevices.InUse is null && Environment.GetEnvironmentVariable(TensorsVariable) != "0" && torch.cuda.is_available();
        if (CudaDevices.WhyNone(index) is { } why)
            throw new EnvironmentException($"--device {typed}: {(tensorsToo ? "" : "libtorch has no CUDA here, and ")}{why}. `zoo doctor` says more.");
        return (tensorsToo ? Parse(typed) : torch.CPU, CudaDevices.Open(index));
    }

    /// <summary>Whether a name is one of a device, be it here or not.</summary>
    public static bool IsName(string typed)
    {
        try
        {
            _ = Index(typed);
            return true;
        }
        catch (UserException)
        {
            return false;
        }
    }

    /// <summary>Which card was typed; null for the CPU, which is meant where nothing was.</summary>
    private static int? Index(string? typed)
    {
        if (typed is null or Cpu)
            return null;
        var index = 0;
        return typed == Cuda || (typed.StartsWith(Cuda + ":", StringComparison.Ordinal)
            && int.TryParse(typed.AsSpan(Cuda.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out index))
            ? index
            : throw new UserException($"--device {typed}: it must be cpu, cuda or cuda:n.");
    }
}
