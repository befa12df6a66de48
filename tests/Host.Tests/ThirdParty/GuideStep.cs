namespace Zoo.Tests.ThirdParty;

/// <summary>What a fenced block of the walk-through is.</summary>
internal enum GuideStepKind
{
    /// <summary>Commands to type.</summary>
    Commands,

    /// <summary>Lines that the commands before it print; "…" stands for anything.</summary>
    Output,

    /// <summary>A file to write, or a part of one.</summary>
    Source,
}

/// <summary>A fenced block of the walk-through.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Line">Number of its first line in the document.</param>
/// <param name="Text">Its lines, each with its end.</param>
internal sealed record GuideStep(GuideStepKind Kind, int Line, string Text)
{
    /// <summary>The exit code that commands must end with.</summary>
    public int ExitCode { get; init; }

    /// <summary>The file that a source is the whole of; null for a part.</summary>
    public string? File { get; init; }
}
