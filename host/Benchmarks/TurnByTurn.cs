namespace Zoo.Host.Benchmarks;

/// <summary>Compares how long late tokens take with how long early ones do, on a machine whose speed may change meanwhile: both are decoded in turn.</summary>
internal static class TurnByTurn
{
    /// <summary>Tokens of a turn: short beside the time in which a machine changes its speed.</summary>
    public const int Turn = 8;

    /// <summary>The median of late tokens' times over that of early ones'.</summary>
    /// <param name="count">Tokens of each kind.</param>
    /// <param name="late">Decodes so many more late tokens and gives the seconds of each.</param>
    /// <param name="early">Likewise early ones.</param>
    public static double LateOverEarly(int count, Func<int, double[]> late, Func<int, double[]> early)
    {
        var (lateTimes, earlyTimes) = (new List<double>(), new List<double>());
        for (var done = 0; done < count; done += Turn)
        {
            var turn = Math.Min(Turn, count - done);
            Keep(late(turn), lateTimes);
            Keep(early(turn), earlyTimes);
        }
        return Timing.Median(lateTimes) / Timing.Median(earlyTimes);
    }

    /// <summary>Without a turn's first, which finds the other kind's numbers in the caches.</summary>
    private static void Keep(double[] times, List<double> kept) => kept.AddRange(times.Length > 1 ? times.Skip(1) : times);
}
