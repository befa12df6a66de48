namespace Zoo.Configuration;

/// <summary>A config cannot be used; carries every problem at once.</summary>
/// <param name="subject">Whose config: "mamba", "task selective-copy".</param>
/// <param name="problems">One sentence each.</param>
public sealed class ConfigException(string subject, IReadOnlyList<string> problems)
    : UserException($"The config of {subject} has {(problems.Count == 1 ? "a problem" : $"{problems.Count} problems")}:\n" +
        string.Join('\n', problems.Select(p => "  " + p)))
{
    /// <summary>One sentence each.</summary>
    public IReadOnlyList<string> Problems { get; } = problems;
}
