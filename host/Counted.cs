using System.Globalization;

namespace Zoo.Host;

/// <summary>A number with what it counts, for sentences.</summary>
internal static class Counted
{
    /// <summary>"1 step", "2,000 steps".</summary>
    public static string Of(long count, string noun) => string.Create(CultureInfo.InvariantCulture, $"{count:N0} {noun}{(count == 1 ? "" : "s")}");
}
