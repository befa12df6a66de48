using System.Diagnostics;
using System.Globalization;

namespace Zoo.Host.Benchmarks;

/// <summary>Resident memory of this process.</summary>
internal static class MemoryUse
{
    /// <summary>Bytes resident now.</summary>
    public static long Resident => FromStatus("VmRSS:") ?? Environment.WorkingSet;

    /// <summary>The most bytes that were ever resident.</summary>
    public static long Peak
    {
        get
        {
            if (FromStatus("VmHWM:") is { } peak)
                return peak;
            using var process = Process.GetCurrentProcess();
            return process.PeakWorkingSet64;
        }
    }

    private static long? FromStatus(string key)
    {
        if (!OperatingSystem.IsLinux())
            return null;
        foreach (var line in File.ReadLines("/proc/self/status"))
        {
            if (line.StartsWith(key, StringComparison.Ordinal))
                return long.Parse(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
        }
        return null;
    }
}
