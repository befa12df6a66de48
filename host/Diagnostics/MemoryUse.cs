using System.Diagnostics;
using System.Globalization;

namespace Zoo.Host.Diagnostics;

/// <summary>Resident memory of this process.</summary>
internal static class MemoryUse
{
    /// <summary>Bytes resident now.</summary>
    public static long Resident => FromStatus("VmRSS:") ?? Environment.WorkingSet;

    /// <summary>The most bytes that were resident since the start, or since <see cref="ResetPeak"/> where the system can forget.</summary>
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

    /// <summary>Bytes that the limit on data counts: private memory that can be written, used or not; null where the system does not say.</summary>
    public static long? Data => FromStatus("VmData:");

    /// <summary>Lets the peak count from now on; where the system cannot (only Linux can), it stays that of the whole process.</summary>
    public static void ResetPeak()
    {
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            File.WriteAllText("/proc/self/clear_refs", "5");   // proc(5): resets the high-water mark to what is resident now
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // a container may forbid it; the peak is then the process's
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
