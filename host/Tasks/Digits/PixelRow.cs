using System.Globalization;
using System.Text;

namespace Zoo.Host.Tasks;

/// <summary>Puts an image in words: how much empty paper comes first, then the ink where it begins.</summary>
internal static class PixelRow
{
    private const int Shown = 8;

    /// <summary>"0 ×151, 0.07 0.45 … (784 values) → 7".</summary>
    /// <param name="values">Pixels in [0, 1] in the order in which a model sees them.</param>
    /// <param name="label">The digit.</param>
    public static string Describe(ReadOnlySpan<float> values, long label)
    {
        var empty = Math.Max(0, values.IndexOfAnyExcept(0f));
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"0 ×{empty},");
        foreach (var value in values.Slice(empty, Math.Min(Shown, values.Length - empty)))
            text.Append(CultureInfo.InvariantCulture, $" {value:0.00}");
        return text.Append(CultureInfo.InvariantCulture, $" … ({values.Length} values) → {label}").ToString();
    }
}
