namespace Zoo.Native;

/// <summary>The user's private cache folder: patched native libraries and compiled kernels, which must not be anybody else's.</summary>
public static class UserCache
{
    /// <summary>A folder below the cache, created with access for the user alone.</summary>
    /// <param name="name">Its name, one path segment.</param>
    /// <exception cref="IOException">It cannot be created, or others can write to it.</exception>
    public static string Folder(string name)
    {
        var root = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } xdg && Path.IsPathRooted(xdg)
            ? xdg
            : Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        if (string.IsNullOrEmpty(root))
            root = Path.Combine(Path.GetTempPath(), "cache-" + Environment.UserName);
        var folder = Path.Combine(root, "zoo", name);
        if (OperatingSystem.IsWindows())
            return Directory.CreateDirectory(folder).FullName;

        const UnixFileMode mine = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Directory.CreateDirectory(folder, mine);
        const UnixFileMode others = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
        if ((File.GetUnixFileMode(folder) & others) != 0)
            throw new IOException($"The cache folder '{folder}' can be written by others. Run `chmod go-w` on it, or remove it.");
        return folder;
    }
}
