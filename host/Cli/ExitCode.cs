namespace Zoo.Host.Cli;

/// <summary>Exit codes of every verb.</summary>
internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Done = 0;

    /// <summary>A check or comparison failed; or Zoo itself, which it says.</summary>
    public const int CheckFailed = 1;

    /// <summary>The user's input was wrong.</summary>
    public const int BadInput = 2;

    /// <summary>The environment lacks something.</summary>
    public const int BadEnvironment = 3;

    /// <summary>Interrupted: a training has saved, and nothing half-written is left.</summary>
    public const int Interrupted = 130;
}
