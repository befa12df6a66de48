using System.Globalization;
using System.Text.RegularExpressions;

namespace Zoo.Host.Training;

/// <summary>Tells from an exception that memory ran out, and says so in a sentence.</summary>
internal static partial class MemoryShortage
{
    private static readonly string[] Signs =
        ["DefaultCPUAllocator: ", "CUDA out of memory", "out of memory", "std::bad_alloc", "Storage size calculation overflowed"];

    /// <summary>Whether libtorch's CPU allocator, CUDA or .NET could not give memory.</summary>
    public static bool Caused(Exception e) => e is OutOfMemoryException
        || (e is not (UserException or EnvironmentException) && Signs.Any(s => e.Message.Contains(s, StringComparison.OrdinalIgnoreCase)))
        || (e.InnerException is { } inner && Caused(inner));

    /// <summary>The error for the user.</summary>
    /// <param name="when">What ran, with its sizes: "at step 3 with batches of 64 × 1,024 tokens".</param>
    /// <param name="lower">What to lower, as a sentence.</param>
    /// <param name="e">What was thrown.</param>
    public static EnvironmentException Error(string when, string lower, Exception e) =>
        new($"Memory ran out{(when.Length > 0 ? $" {when}" : "")}{(Wanted(e) is { } wanted ? $": {wanted} more could not be had" : "")}. {lower}", e);

    /// <summary>How much was asked for in vain, where the exception says it.</summary>
    private static string? Wanted(Exception e)
    {
        if (Bytes().Match(e.Message) is { Success: true } bytes && double.TryParse(bytes.Groups[1].Value, CultureInfo.InvariantCulture, out var count))
            return count >= 1e9 ? $"{count / 1e9:N1} GB" : $"{count / 1e6:N0} MB";
        if (Cuda().Match(e.Message) is { Success: true } cuda)
            return cuda.Groups[1].Value;
        return e.InnerException is { } inner ? Wanted(inner) : null;
    }

    [GeneratedRegex(@"tried to allocate (\d+) bytes")]
    private static partial Regex Bytes();

    [GeneratedRegex(@"Tried to allocate ([\d.]+ [KMGT]iB)")]
    private static partial Regex Cuda();
}
