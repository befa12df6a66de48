using Zoo.Files;

namespace Zoo.Host.Plugins;

/// <summary>What was found, and what became of it: a line of `zoo plugins`.</summary>
internal sealed record PluginRecord
{
    /// <summary>The assembly's name, or the file's where that could not be read.</summary>
    public required string Name { get; init; }

    /// <summary>The DLL, or the folder where that as a whole cannot be used.</summary>
    public required string Path { get; init; }

    /// <summary>Whether this stands for a whole plugin folder.</summary>
    public bool IsFolder { get; init; }

    /// <summary>The plugin's version, where it could be read.</summary>
    public string? Version { get; init; }

    /// <summary>The Zoo.Contracts version that it was built against.</summary>
    public string? Contract { get; init; }

    /// <summary>The TorchSharp version that it was built against.</summary>
    public string? TorchSharp { get; init; }

    /// <summary>Whether it is used.</summary>
    public PluginStatus Status { get; init; } = PluginStatus.Disabled;

    /// <summary>Why it is disabled, on one line; null when it is loaded.</summary>
    public string? Reason { get; init; }

    /// <summary>What the user is told of a disabled plugin.</summary>
    public string Sentence => IsFolder
        ? $"The plugin folder '{Path}' is not used: {Reason}"
        : $"Plugin '{Name}'{(Version is null ? "" : " " + Version)} is disabled: {Reason}";

    /// <summary>The DLL's SHA-256 in lower-case hexadecimal digits; null where it cannot be read. Reads the whole file.</summary>
    public string? Sha256()
    {
        if (IsFolder)
            return null;
        try
        {
            return FileHash.Sha256(Path);
        }
        catch (BadFileException)
        {
            return null;
        }
    }
}
