using Zoo.Host.Plugins;

namespace Zoo.Tests.Plugins;

/// <summary>A plugin folder of a test's own, filled from what the projects in tests/FaultyPlugins gave.</summary>
internal sealed class PluginSandbox : IDisposable
{
    private const UnixFileMode OnlyMineToWrite = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
    private readonly string _root = RealPath.Of(Directory.CreateTempSubdirectory("zoo-plugins-").FullName);
    private PluginCatalog? _catalog;

    public PluginSandbox() => Folder = NewFolder("plugins");

    /// <summary>Where <see cref="Load"/> looks.</summary>
    public string Folder { get; }

    /// <summary>Another folder beside the plugin folder.</summary>
    public string NewFolder(string name)
    {
        var folder = Path.Combine(_root, name);
        MakeFolder(folder);
        return folder;
    }

    /// <summary>Installs a plugin as a folder with all that its build gave; returns the folder.</summary>
    public string Install(string name, string? into = null)
    {
        var source = Path.Combine(AppContext.BaseDirectory, "faulty", name);
        var target = Path.Combine(into ?? Folder, name);
        MakeFolder(target);
        foreach (var file in Directory.EnumerateFiles(source))
            Copy(file, Path.Combine(target, Path.GetFileName(file)));
        return target;
    }

    /// <summary>Installs a plugin as its DLL alone; returns the DLL.</summary>
    public string InstallSingle(string name, string? into = null)
    {
        var target = Path.Combine(into ?? Folder, name + ".dll");
        Copy(Path.Combine(AppContext.BaseDirectory, "faulty", name, name + ".dll"), target);
        return target;
    }

    /// <summary>Puts a file into the plugin folder; returns its path.</summary>
    public string Write(string name, byte[] content)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllBytes(path, content);
        ForbidOthers(path);
        return path;
    }

    /// <summary>Puts a copy of the contract beside the plugin, as a build without the package's targets does; returns its path.</summary>
    public string AddPrivateContract(string plugin)
    {
        var copy = Path.Combine(Folder, plugin, "Zoo.Contracts.dll");
        Copy(typeof(UserException).Assembly.Location, copy);
        return copy;
    }

    /// <summary>Loads the plugin folder, or the folders named.</summary>
    public PluginCatalog Load(params string[] folders) =>
        _catalog = PluginCatalog.Load(new PluginSearch([.. (folders.Length == 0 ? [Folder] : folders).Select(f => new PluginFolder(f, IsNamed: true))]));

    /// <summary>Gives a file or folder further permissions, or, with <paramref name="only"/>, no others.</summary>
    public static void Permit(string path, UnixFileMode mode, bool only = false)
    {
        if (OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException("Windows has access lists instead.");
        File.SetUnixFileMode(path, only ? mode : File.GetUnixFileMode(path) | mode);
    }

    /// <summary>The bytes of a plugin's DLL.</summary>
    public static byte[] Dll(string name) => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "faulty", name, name + ".dll"));

    public void Dispose()
    {
        _catalog?.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    private static void Copy(string source, string target)
    {
        File.Copy(source, target);
        ForbidOthers(target);
    }

    /// <summary>Whatever the umask and the modes of the build's output are.</summary>
    private static void ForbidOthers(string path)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
    }

    private static void MakeFolder(string path)
    {
        Directory.CreateDirectory(path);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, OnlyMineToWrite);
    }
}
