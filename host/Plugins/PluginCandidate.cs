namespace Zoo.Host.Plugins;

/// <summary>A DLL that may be a plugin.</summary>
/// <param name="Name">The DLL's name without ".dll".</param>
/// <param name="Path">The DLL, links resolved.</param>
/// <param name="HasOwnFolder">Whether it is Name/Name.dll, with files of its own beside it, rather than a DLL alone.</param>
internal sealed record PluginCandidate(string Name, string Path, bool HasOwnFolder)
{
    /// <summary>The folder that the DLL lies in.</summary>
    public string Folder => System.IO.Path.GetDirectoryName(Path)!;
}
