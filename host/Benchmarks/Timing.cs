using System.Diagnostics;

namespace Zoo.Host.Benchmarks;

/// <summary>Wall-clock and CPU seconds of repeated calls.</summary>
internal sealed class Timing
{
    private readonly List<double> _wall = [];
    private readonly List<double> _cpu = [];

    /// <summary>How many calls were timed.</summary>
    public int Runs => _wall.Count;

    /// <summary>Median wall-clock seconds.</summary>
    public double WallMedian => Median(_wall);

    /// <summary>Median CPU seconds, all threads together.</summary>
    public double CpuMedian => Median(_cpu);

    /// <summary>Least CPU seconds: what the work costs when nothing disturbs it.</summary>
    public double CpuLeast => _cpu.Min();

    /// <summary>Times one call.</summary>
    /// <param name="call">What to time.</param>
    /// <param name="per">The result is divided by this, for calls that do several pieces of work.</param>
    public void Measure(Action call, double per = 1)
    {
        var (cpu, wall) = (CpuClock.Seconds, Stopwatch.GetTimestamp());
        call();
        _wall.Add(Stopwatch.GetElapsedTime(wall).TotalSeconds / per);
        _cpu.Add((CpuClock.Seconds - cpu) / per);
    }

    /// <summary>The middle value, or the mean of the two in the middle.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
