using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Zoo.Host.Reports;

/// <summary>Numbers and names as a report writes them.</summary>
internal static class Figures
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Four significant digits, thousands separated; "–" for none.</summary>
    public static string Number(double? value)
    {
        if (value is not { } number)
            return "–";
        if (!double.IsFinite(number))
            return double.IsNaN(number) ? "not a number" : number > 0 ? "infinite" : "-infinite";
        var size = Math.Abs(number);
        if (size >= 1e15 || (size < 1e-4 && size > 0))
            return number.ToString("0.###e+0", CultureInfo.InvariantCulture);
        if (size >= 1000)
            return number.ToString("#,0", CultureInfo.InvariantCulture);
        var digits = size == 0 ? 0 : Math.Clamp(3 - (int)Math.Floor(Math.Log10(size)), 0, 8);
        return Math.Round(number, digits).ToString("0.########", CultureInfo.InvariantCulture);
    }

    /// <summary>A metric's value: of percentages two decimals are enough to tell them apart, and line up.</summary>
    public static string Metric(string name, double? value) => value is >= 0.1 and <= 100 && name.EndsWith("_percent", StringComparison.Ordinal)
        ? value.Value.ToString("0.00", CultureInfo.InvariantCulture)
        : Number(value);

    /// <summary>"4.41 ± 0.04": the deviation has two digits, and no more decimals than a percentage of the mean.</summary>
    public static string MeanAndDeviation(string name, double? mean, double? deviation)
    {
        if (deviation is not { } sd)
            return Metric(name, mean);
        var isPercentage = mean is >= 0.1 and <= 100 && name.EndsWith("_percent", StringComparison.Ordinal);
        var spread = isPercentage
            ? sd.ToString("0.00", CultureInfo.InvariantCulture)
            : Number(double.Parse(sd.ToString("G2", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture));
        return $"{Metric(name, mean)} ± {spread}";
    }

    /// <summary>A point of a path: tenths suffice.</summary>
    public static string Pixel(double value) => Math.Round(value, 1).ToString("0.#", CultureInfo.InvariantCulture);

    /// <summary>"1.2 MB".</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        < 10_000 => $"{bytes:N0} bytes",
        < 10_000_000 => $"{bytes / 1e3:N0} kB",
        < 10_000_000_000 => $"{bytes / 1e6:N0} MB",
        _ => $"{bytes / 1e9:N1} GB",
    };

    /// <summary>"test_error_percent" as "Test error, %".</summary>
    public static string MetricTitle(string metric)
    {
        var (name, unit) = metric.EndsWith("_percent", StringComparison.Ordinal) ? (metric[..^"_percent".Length], ", %") : (metric, "");
        var words = name.Replace('_', ' ');
        return words.Length == 0 ? metric : char.ToUpperInvariant(words[0]) + words[1..] + unit;
    }

    /// <summary>A value of a config.</summary>
    public static string Value(JsonNode? node) => node switch
    {
        null => "none",
        JsonValue value when value.TryGetValue(out string? text) => text,
        _ => node.ToJsonString(Readable),
    };

    /// <summary>At most so many characters, with "…" where there were more.</summary>
    public static string Short(string text, int most)
    {
        if (text.Length <= most)
            return text;
        var cut = char.IsHighSurrogate(text[most - 2]) ? most - 2 : most - 1;
        return text[..cut] + "…";
    }
}
