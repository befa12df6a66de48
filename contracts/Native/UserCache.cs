using System.Runtime.Versioning;
using Zoo.Files;

namespace Zoo.Native;

/// <summary>The user's private cache folder: patched native libraries and compiled kernels, which must not be anybody else's.</summary>
public static class UserCache
{
    private const string RootVariable = "XDG_CACHE_HOME";
    private const string Remedy = $"Set {RootVariable} to a folder of your own.";

    /// <summary>A folder below the cache, created with access for the user alone.</summary>
    /// <param name="name">Its name, one path segment.</param>
    /// <exception cref="EnvironmentException">It cannot be created, is somebody else's, or others can write to it.</exception>
    public static string Folder(string name)
    {
        var folder = Path.Combine(Root(), "zoo", name);
        try
        {
            if (OperatingSystem.IsWindows())
                return Directory.CreateDirectory(folder).FullName;
            foreach (var part in (string[])[Path.GetDirectoryName(folder)!, folder])   // who can write to the first can replace the second
            {
                Directory.CreateDirectory(part, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                RequirePrivate(part);
            }
            return folder;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException($"The cache folder '{folder}' cannot be used: {FileTrouble.Words(e)} {Remedy}", e);
        }
    }

    private static string Root()
    {
        if (Environment.GetEnvironmentVariable(RootVariable) is { Length: > 0 } named && Path.IsPathRooted(named))
            return named;
        var root = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        return string.IsNullOrEmpty(root) ? Path.Combine(Path.GetTempPath(), "cache-" + Environment.UserName) : root;
    }

    [UnsupportedOSPlatform("windows")]
    private static void RequirePrivate(string folder)
    {
        const UnixFileMode others = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
        var mode = File.GetUnixFileMode(folder);
        if ((mode & others) != 0)
            throw new EnvironmentException($"The cache folder '{folder}' can be written by others. Run `chmod go-w` on it, or remove it.");
        try
        {
            File.SetUnixFileMode(folder, mode);   // changes nothing, and only the owner may do it
        }
        catch (UnauthorizedAccessException e)
        {
            throw new EnvironmentException($"The cache folder '{folder}' belongs to somebody else. {Remedy}", e);
        }
        catch (IOException)
        {
            // A file system that is read-only: nobody can have tampered with it either.
        }
    }
}
