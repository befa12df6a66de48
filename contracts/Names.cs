namespace Zoo;

/// <summary>Names that users type: which are allowed, and which one was meant.</summary>
public static class Names
{
    /// <summary>Whether a name may be used in a path and on the command line: letters, digits, '.', '_' and '-', not starting with '.' or '-'.</summary>
    public static bool IsValid(string name) =>
        name.Length is > 0 and <= 100 && name[0] is not '.' and not '-' && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    /// <summary>The choice that was probably meant by <paramref name="typed"/>, or null when none is near.</summary>
    public static string? Nearest(string typed, IEnumerable<string> choices)
    {
        const int shortest = 3, longest = 100;
        if (typed.Length > longest)
            return null;
        var all = choices.ToList();
        if (typed.Length >= shortest && all.FindAll(c => c.StartsWith(typed, StringComparison.OrdinalIgnoreCase)) is [var continued])
            return continued;
        var best = all
            .Select(choice => (choice, distance: EditDistance(typed.ToLowerInvariant(), choice.ToLowerInvariant())))
            .OrderBy(c => c.distance)
            .FirstOrDefault();
        var near = typed.Length <= shortest ? 1 : Math.Max(2, typed.Length / 3);
        return best.choice is not null && best.distance <= near ? best.choice : null;
    }

    /// <summary>" Did you mean 'x'?", or nothing.</summary>
    public static string DidYouMean(string typed, IEnumerable<string> choices) =>
        Nearest(typed, choices) is { } nearest ? $" Did you mean '{nearest}'?" : "";

    /// <summary>Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.</summary>
    private static int EditDistance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
            d[i, 0] = i;
        for (var j = 0; j <= b.Length; j++)
            d[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = a[i - 1] == b[j - 1] ? 0 : 1;
                d[i, j] = Math.Min(Math.Min(d[i - 1, j] + 1, d[i, j - 1] + 1), d[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }
        return d[a.Length, b.Length];
    }
}
