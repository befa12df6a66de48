using System.Collections.Concurrent;

namespace Zoo.Kernels;

/// <summary>Which backend each op has run on in this process: what `"backends"` reports.</summary>
public static class OpUsage
{
    private static readonly ConcurrentDictionary<string, string> Used = new(StringComparer.Ordinal);

    /// <summary>The backends by op, in order of the ops' names; several of one op are joined by '+'.</summary>
    public static IReadOnlyDictionary<string, string> Backends => new SortedDictionary<string, string>(Used, StringComparer.Ordinal);

    /// <summary>Forgets them.</summary>
    public static void Reset() => Used.Clear();

    /// <summary>Notes that an op ran on a backend.</summary>
    public static void Record(string op, string backend)
    {
        if (Used.TryGetValue(op, out var known) && known == backend)
            return;
        Used.AddOrUpdate(op, backend, (_, old) => old.Split('+').Contains(backend) ? old : $"{old}+{backend}");
    }
}
