using System.Globalization;

namespace Zoo.Host.Reports;

/// <summary>An axis of a chart: which values it spans, where they lie, and round numbers to mark.</summary>
internal sealed class Axis
{
    private const double Largest = 1e100;
    private readonly double _low;
    private readonly double _high;
    private readonly double _from;
    private readonly double _to;

    private Axis(double low, double high, bool isLogarithmic, double from, double to, IEnumerable<double> ticks, Func<double, string> label)
    {
        (_low, _high, IsLogarithmic, _from, _to) = (low, high, isLogarithmic, from, to);
        Ticks = [.. ticks.Select(t => (At(t), label(t)))];
    }

    /// <summary>Whether equal ratios have equal lengths.</summary>
    public bool IsLogarithmic { get; }

    /// <summary>Round values: where they lie, and how they read.</summary>
    public IReadOnlyList<(double Place, string Label)> Ticks { get; }

    /// <summary>An axis that spans some values.</summary>
    /// <param name="values">Those that the axis cannot show are left out.</param>
    /// <param name="logarithmic">Wanted; linear where no value is positive.</param>
    /// <param name="tight">Ends at the outermost values, not at round ones beyond; a linear axis that is not tight begins at 0 where that is near.</param>
    /// <param name="from">Where it begins, in pixels.</param>
    /// <param name="to">Where it ends.</param>
    /// <param name="ticks">About so many.</param>
    public static Axis Fit(IEnumerable<double> values, bool logarithmic, bool tight, double from, double to, int ticks)
    {
        var shown = values.Where(v => IsShown(v, logarithmic)).ToList();
        if (logarithmic && shown.Count == 0)
            return Fit(values, logarithmic: false, tight, from, to, ticks);
        var (low, high) = shown.Count == 0 ? (0.0, 1.0) : (shown.Min(), shown.Max());
        return logarithmic ? Logarithmic(low, high, tight, from, to, ticks) : Linear(low, high, tight, from, to, ticks);
    }

    /// <summary>Whether a value has a place on an axis.</summary>
    public static bool IsShown(double value, bool logarithmic) => Math.Abs(value) <= Largest && (!logarithmic || value >= 1 / Largest);

    /// <summary>Whether a value has a place on this axis.</summary>
    public bool Shows(double value) => IsShown(value, IsLogarithmic);

    /// <summary>Where a value lies.</summary>
    public double At(double value) => _from + (_to - _from) * (IsLogarithmic
        ? (Math.Log10(value) - Math.Log10(_low)) / (Math.Log10(_high) - Math.Log10(_low))
        : (value - _low) / (_high - _low));

    private static Axis Linear(double low, double high, bool tight, double from, double to, int ticks)
    {
        if (!tight && low > 0 && low < 0.6 * high)
            low = 0;
        if (high - low <= Math.Abs(high) * 1e-9)
            (low, high) = high == 0 ? (-1, 1) : (low - Math.Abs(low) * 0.1, high + Math.Abs(high) * 0.1);
        var step = RoundStep((high - low) / ticks);
        if (!tight)
            (low, high) = (Math.Floor(low / step + 1e-9) * step, Math.Ceiling(high / step - 1e-9) * step);
        var first = Math.Ceiling(low / step - 1e-9);
        var count = (int)Math.Floor(high / step - first + 1e-9) + 1;
        var decimals = Math.Clamp(-(int)Math.Floor(Math.Log10(step) + 1e-9), 0, 9);
        var marks = Enumerable.Range(0, count).Select(i => (first + i) * step);
        var isPlain = Math.Max(Math.Abs(low), Math.Abs(high)) < 1e7 && step >= 1e-6;
        return new Axis(low, high, false, from, to, marks, v => isPlain
            ? (Math.Round(v, decimals) + 0.0).ToString("N" + decimals, CultureInfo.InvariantCulture)
            : v.ToString("0.###e+0", CultureInfo.InvariantCulture));
    }

    private static Axis Logarithmic(double low, double high, bool tight, double from, double to, int ticks)
    {
        if (high / low < 1.05)
            (low, high) = (low / 1.2, high * 1.2);
        else if (!tight)
            (low, high) = (low / Math.Pow(high / low, 0.04), high * Math.Pow(high / low, 0.04));
        var decades = Math.Log10(high / low);
        int[] within = decades > 3.5 ? [1] : decades > 2 ? [1, 3] : decades > 0.9 ? [1, 2, 5] : [1, 2, 3, 4, 5, 6, 7, 8, 9];
        var stride = Math.Max(1, (int)Math.Ceiling(decades / (ticks + 2)));
        var (first, last) = ((int)Math.Floor(Math.Log10(low)), (int)Math.Floor(Math.Log10(high)));
        var marks = Enumerable.Range(first, last - first + 1).Where(d => d % stride == 0)
            .SelectMany(d => within.Select(m => m * Math.Pow(10, d))).Where(v => v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9)).ToList();
        if (marks.Count < 2)   // less than a decade: round numbers, as on a linear axis
        {
            var step = RoundStep((high - low) / ticks);
            marks = [.. Enumerable.Range(0, ticks + 3).Select(i => (Math.Ceiling(low / step) + i) * step).Where(v => v <= high)];
        }
        return new Axis(low, high, true, from, to, marks, v => v is >= 1e-4 and < 1e7
            ? v.ToString("#,0.######", CultureInfo.InvariantCulture)
            : v.ToString("0.##e+0", CultureInfo.InvariantCulture));
    }

    /// <summary>The next of 1, 2, 5 and 10 times a power of ten.</summary>
    private static double RoundStep(double step)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(step)));
        var times = step / power;
        return power * (times <= 1.0001 ? 1 : times <= 2.0001 ? 2 : times <= 5.0001 ? 5 : 10);
    }
}
