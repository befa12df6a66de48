using System.Globalization;
using System.Runtime.InteropServices;

namespace Zoo.MatMulFree.Recipes;

/// <summary>How much memory some work needs at its peak, by what the system counts as resident.</summary>
internal static class PeakMemory
{
    private const string Reset = "/proc/self/clear_refs";

    /// <summary>Whether it can be measured here: Linux, with its peak to be reset, and glibc.</summary>
    public static bool IsMeasurable => OperatingSystem.IsLinux() && File.Exists(Reset) && TryTrim();

    /// <summary>Bytes that were resident at the peak of <paramref name="work"/> beyond those before it.</summary>
    public static long Of(Action work)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        TryTrim();                                      // or memory that was freed and kept would count as before
        File.WriteAllText(Reset, "5");                  // proc(5): the peak is what is resident now
        var before = FromStatus("VmRSS:");
        work();
        return FromStatus("VmHWM:") - before;
    }

    private static bool TryTrim()
    {
        try
        {
            _ = Trim(0);
            return true;
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            return false;
        }
    }

    private static long FromStatus(string key)
    {
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith(key, StringComparison.Ordinal));
        return long.Parse(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    [DllImport("libc", EntryPoint = "malloc_trim")]
    private static extern int Trim(nuint keep);
}
