using System.CommandLine;
using System.Globalization;
using TorchSharp;

namespace Zoo.Host.Cli;

/// <summary>The `--device` option: cpu, cuda, or cuda:1.</summary>
internal static class DeviceName
{
    private const string Cuda = "cuda";

    /// <summary>A new option; the CPU when it is not given.</summary>
    public static Option<string> Option() => new("--device")
    {
        Description = "Where to run: cpu, cuda, or cuda:n for one of several.",
        HelpName = "DEVICE",
        DefaultValueFactory = _ => "cpu",
    };

    /// <summary>The device that was typed. libtorch must be loaded.</summary>
    /// <exception cref="UserException">It is none.</exception>
    /// <exception cref="EnvironmentException">It is not here.</exception>
    public static torch.Device Parse(string typed)
    {
        if (typed == "cpu")
            return torch.CPU;
        var index = 0;
        if (typed != Cuda && !(typed.StartsWith(Cuda + ":", StringComparison.Ordinal)
            && int.TryParse(typed.AsSpan(Cuda.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out index)))
        {
            throw new UserException($"--device {typed}: it must be cpu, cuda or cuda:n.");
        }
        if (!torch.cuda.is_available())
        {
            throw new EnvironmentException(
                $"--device {typed}: libtorch sees no CUDA device here. `zoo doctor` says whether the driver or libtorch's CUDA build is missing.");
        }
        var count = torch.cuda.device_count();
        return index < count ? new torch.Device(DeviceType.CUDA, index)
            : throw new EnvironmentException($"--device {typed}: there {(count == 1 ? "is 1 CUDA device" : $"are {count} CUDA devices")}, counted from 0.");
    }
}
