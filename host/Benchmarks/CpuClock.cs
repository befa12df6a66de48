using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Zoo.Host.Benchmarks;

/// <summary>CPU time of the whole process: what work costs, whoever else is on the machine.</summary>
internal static partial class CpuClock
{
    private const int ProcessCpuTime = 2;   // CLOCK_PROCESS_CPUTIME_ID on Linux

    /// <summary>Seconds of CPU time used so far, all threads together.</summary>
    public static double Seconds
    {
        get
        {
            if (OperatingSystem.IsLinux() && ClockGetTime(ProcessCpuTime, out var time) == 0)
                return time.Seconds + time.Nanoseconds * 1e-9;
            using var process = Process.GetCurrentProcess();
            return process.TotalProcessorTime.TotalSeconds;
        }
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGetTime(int clock, out TimeSpec time);

    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
