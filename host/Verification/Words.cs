namespace Zoo.Host.Verification;

/// <summary>Names in a sentence.</summary>
internal static class Words
{
    private const int Most = 5;

    /// <summary>"a, b and 3 more".</summary>
    public static string List(IReadOnlyCollection<string> names) => names.Count switch
    {
        0 => "nothing",
        1 => names.First(),
        <= Most => $"{string.Join(", ", names.SkipLast(1))} and {names.Last()}",
        _ => $"{string.Join(", ", names.Take(Most))} and {names.Count - Most} more",
    };
}
