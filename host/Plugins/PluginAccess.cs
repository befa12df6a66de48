using System.Runtime.InteropServices;

namespace Zoo.Host.Plugins;

/// <summary>
/// Who can write to a plugin's files. A plugin runs with the user's rights, so a file that others can change is their way in. Windows'
/// access lists are not examined.
/// </summary>
internal static class PluginAccess
{
    /// <summary>Refuses a file or folder that others can write to.</summary>
    /// <param name="path">With links resolved.</param>
    /// <exception cref="PluginRefusedException">Others can.</exception>
    /// <exception cref="IOException">It cannot be examined.</exception>
    public static void Require(string path)
    {
        if (OperatingSystem.IsWindows())
            return;
        var mode = File.GetUnixFileMode(path);
        var others = (mode & UnixFileMode.OtherWrite) != 0 || ((mode & UnixFileMode.GroupWrite) != 0 && !BelongsToPrivateGroup(path));
        if (others)
        {
            throw new PluginRefusedException($"others can write to '{path}' (mode {Convert.ToString((int)mode, 8).PadLeft(4, '0')}), " +
                $"so its code could be anybody's. Run `chmod go-w '{path}'` once you trust what is in it.");
        }
    }

    /// <summary>
    /// Whether only the owner is in the file's group. Many systems give every user such a group and let it write by default.
    /// </summary>
    /// <param name="passwd">Text of /etc/passwd.</param>
    /// <param name="group">Text of /etc/group.</param>
    /// <param name="owner">The file's user id.</param>
    /// <param name="fileGroup">The file's group id.</param>
    internal static bool IsPrivateGroup(string passwd, string group, uint owner, uint fileGroup)
    {
        var users = Lines(passwd, 4).Where(u => u[3] == $"{fileGroup}").ToList();
        var groups = Lines(group, 4).Where(g => g[2] == $"{fileGroup}").ToList();
        return users.Count == 1 && users[0][2] == $"{owner}"
            && groups.Count == 1 && groups[0][3].Split(',', StringSplitOptions.RemoveEmptyEntries).All(member => member == users[0][0]);
    }

    private static IEnumerable<string[]> Lines(string text, int fields) =>
        text.Split('\n').Select(line => line.TrimEnd('\r').Split(':')).Where(line => line.Length >= fields);

    private static bool BelongsToPrivateGroup(string path)
    {
        if (!OperatingSystem.IsLinux() || Owner(path) is not { } owner)
            return false;
        try
        {
            return IsPrivateGroup(File.ReadAllText("/etc/passwd"), File.ReadAllText("/etc/group"), owner.User, owner.Group);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>User and group id; null where the system's C library has no statx.</summary>
    private static (uint User, uint Group)? Owner(string path)
    {
        const int currentDirectory = -100, followLinks = 0;
        const uint userAndGroup = 0x8 | 0x10;
        var buffer = new byte[256];   // struct statx: user at 20, group at 24
        try
        {
            if (StatX(currentDirectory, path, followLinks, userAndGroup, buffer) != 0)
                return null;
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
        return (BitConverter.ToUInt32(buffer, 20), BitConverter.ToUInt32(buffer, 24));
    }

    [DllImport("libc", EntryPoint = "statx")]
    private static extern int StatX(
        int directory, [MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags, uint mask, byte[] result);
}
