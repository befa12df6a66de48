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
    public void Measure(Action call) => Measure(() =>
    {
        call();
        return 1;
    });

    /// <summary>Times one call that does several pieces of work.</summary>
    /// <param name="call">Returns how many; the times are divided by it.</param>
    public void Measure(Func<long> call)
    {
        var (cpu, wall) = (CpuClock.Seconds, Stopwatch.GetTimestamp());
        var pieces = call();
        _wall.Add(Stopwatch.GetElapsedTime(wall).TotalSeconds / pieces);
        _cpu.Add((CpuClock.Seconds - cpu) / pieces);
    }

    /// <summary>Adds a call that was timed elsewhere.</summary>
    /// <param name="wall">Seconds that it took.</param>
    /// <param name="cpu">CPU seconds meanwhile.</param>
    public void Add(double wall, double cpu)
    {
        _wall.Add(wall);
        _cpu.Add(cpu);
    }

    /// <summary>The middle value, or the mean of the two in the middle.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
