using Zoo.Files;

namespace Zoo.Host.Plugins;

/// <summary>Finds what may be a plugin in a folder: every Name.dll, and every Name/Name.dll.</summary>
internal static class PluginFinder
{
    /// <summary>The names in a plugin folder that may be plugins, ordered: folders and DLLs, not yet examined.</summary>
    /// <param name="folder">With links resolved, so that what is checked is what is read.</param>
    /// <exception cref="PluginRefusedException">The folder cannot be read, or others can write to it.</exception>
    public static IReadOnlyList<FileSystemInfo> Entries(string folder)
    {
        try
        {
            PluginAccess.Require(folder);
            return
            [
                .. new DirectoryInfo(folder).EnumerateFileSystemInfos()
                    .Where(entry => !entry.Name.StartsWith('.') && (IsDll(entry.Name) || Directory.Exists(entry.FullName) || IsBrokenLink(entry)))
                    .OrderBy(entry => Path.GetFileNameWithoutExtension(entry.Name), StringComparer.Ordinal)
                    .ThenBy(entry => IsDll(entry.Name)),
            ];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PluginRefusedException($"it cannot be read: {FileTrouble.Words(e)}", e);
        }
    }

    /// <summary>Finds the plugin's DLL and checks that it and the files beside it can be read, and written by nobody else.</summary>
    /// <exception cref="PluginRefusedException">They cannot be used.</exception>
    public static PluginCandidate Examine(FileSystemInfo entry)
    {
        try
        {
            var path = RealPath.Of(entry.FullName);
            if (!Directory.Exists(path))
            {
                PluginAccess.Require(path);
                PluginAccess.Require(Path.GetDirectoryName(path)!);
                RequireReadable(path);
                return new PluginCandidate(Path.GetFileNameWithoutExtension(path), path, HasOwnFolder: false);
            }

            PluginAccess.Require(path);
            var dll = Path.Combine(path, entry.Name + ".dll");
            if (!Path.Exists(dll))
            {
                throw new PluginRefusedException($"there is no '{entry.Name}.dll' in the folder '{path}'. " +
                    "A plugin's folder has its DLL's name and holds it directly.");
            }
            dll = RealPath.Of(dll);
            PluginAccess.Require(dll);
            foreach (var inside in Directory.EnumerateFileSystemEntries(path, "*", SearchOption.AllDirectories))
                PluginAccess.Require(RealPath.Of(inside));
            RequireReadable(dll);
            return new PluginCandidate(entry.Name, dll, HasOwnFolder: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PluginRefusedException($"it cannot be read: {FileTrouble.Words(e)}", e);
        }
    }

    private static void RequireReadable(string dll)
    {
        const long mostBytes = 1L << 30;
        using var stream = File.OpenRead(dll);
        if (stream.Length == 0)
            throw new PluginRefusedException($"'{dll}' is empty. Build or download it again.");
        if (stream.Length > mostBytes)
            throw new PluginRefusedException($"'{dll}' has {stream.Length} bytes; a plugin's DLL may have at most {mostBytes}.");
    }

    private static bool IsDll(string name) => name.EndsWith(".dll", StringComparison.OrdinalIgnoreCase);

    /// <summary>A link to nothing has no kind; the user meant it to be a plugin.</summary>
    private static bool IsBrokenLink(FileSystemInfo entry)
    {
        try
        {
            return entry.LinkTarget is not null && RealPath.Of(entry.FullName).Length == 0;
        }
        catch (IOException)
        {
            return true;
        }
    }
}
