using System.Globalization;
using Zoo.Files;

namespace Zoo.Host.Runs;

/// <summary>The folder of one run: config.json, environment.json, metrics.jsonl, checkpoints/.</summary>
internal sealed class RunFolder : IDisposable
{
    /// <summary>Where run folders go unless --out says otherwise: below the current folder.</summary>
    public const string DefaultParent = "runs";

    /// <summary>The config's file name; a folder that has it is a run.</summary>
    public const string ConfigName = "config.json";

    /// <summary>The records' file name.</summary>
    public const string MetricsName = "metrics.jsonl";

    /// <summary>Where the run ran.</summary>
    public const string EnvironmentName = "environment.json";

    /// <summary>What the ids of a text task mean.</summary>
    public const string TextName = "text.json";

    /// <summary>What an imported checkpoint was.</summary>
    public const string ImportName = "import.json";

    /// <summary>The config.json that came with an imported checkpoint, byte for byte.</summary>
    public const string UpstreamConfigName = "upstream-config.json";

    private const string CheckpointsName = "checkpoints";
    private const string LockName = ".lock";
    private readonly FileStream _lock;

    private RunFolder(string path, FileStream folderLock)
    {
        Path = path;
        _lock = folderLock;
    }

    /// <summary>Its path, as the user would type it.</summary>
    public string Path { get; }

    /// <summary>The config's path.</summary>
    public string ConfigPath => System.IO.Path.Combine(Path, ConfigName);

    /// <summary>Records of steps and evaluations.</summary>
    public string MetricsPath => System.IO.Path.Combine(Path, MetricsName);

    /// <summary>The checkpoints.</summary>
    public string CheckpointsPath => CheckpointsOf(Path);

    /// <summary>Where a run's checkpoints lie.</summary>
    public static string CheckpointsOf(string runPath) => System.IO.Path.Combine(runPath, CheckpointsName);

    /// <summary>Makes the folder of a new run, which appears with its config or not at all.</summary>
    /// <param name="parent">--out.</param>
    /// <param name="record">Its config.</param>
    /// <param name="environment">Where it runs.</param>
    /// <param name="fill">Writes what else belongs to it, into the folder that it is given.</param>
    /// <exception cref="UserException"><paramref name="parent"/> cannot be written.</exception>
    /// <exception cref="EnvironmentException">The disk is full.</exception>
    public static RunFolder Create(string parent, RunRecord record, RunEnvironment environment, Action<string>? fill = null)
    {
        try
        {
            return NewFolder.Fill(parent, () => CreateIn(parent, record, environment, fill));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            // The innermost words: those around them name a file below a folder that is gone again.
            throw WriteTrouble.Of($"--out {parent}: a run folder cannot be made there: {FileTrouble.Words(e.GetBaseException())} Nothing was done.", e);
        }
    }

    private static RunFolder CreateIn(string parent, RunRecord record, RunEnvironment environment, Action<string>? fill)
    {
        var aside = System.IO.Path.Combine(parent, $".new-{Guid.NewGuid():N}");
        try
        {
            Directory.CreateDirectory(System.IO.Path.Combine(aside, CheckpointsName));
            RunJson.Write(System.IO.Path.Combine(aside, ConfigName), record);
            RunJson.Write(System.IO.Path.Combine(aside, EnvironmentName), environment);
            fill?.Invoke(aside);
            return Lock(MoveToFreeName(parent, aside, record));
        }
        catch
        {
            if (Directory.Exists(aside))
                Directory.Delete(aside, recursive: true);
            throw;
        }
    }

    /// <summary>Opens a run for going on with it.</summary>
    /// <exception cref="UserException">It is no run folder, or another process works in it.</exception>
    /// <exception cref="EnvironmentException">The disk is full.</exception>
    public static RunFolder Open(string path)
    {
        RequireRun(path);
        try
        {
            return Lock(path);
        }
        catch (IOException e) when (IsHeld(e))
        {
            throw new UserException($"The run folder '{path}' is in use: another process trains in it. Let it end, or stop it, first.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw WriteTrouble.Of($"The run folder '{path}' cannot be written: {FileTrouble.Words(e)}", e);
        }
    }

    /// <summary>Requires that a path is a run folder.</summary>
    /// <exception cref="UserException">It is not.</exception>
    public static void RequireRun(string path)
    {
        if (!Directory.Exists(path))
        {
            throw new UserException(File.Exists(path)
                ? $"'{path}' is a file and no run folder."
                : $"There is no run folder '{path}'. `zoo train` and `zoo import` say at their end where theirs is.");
        }
        if (!File.Exists(System.IO.Path.Combine(path, ConfigName)))
            throw new UserException($"'{path}' is no run folder: it has no {ConfigName}.{Inside(path)}");
    }

    /// <summary>Where the runs are that a folder holds, as --out's does; nothing where it holds none.</summary>
    private static string Inside(string path)
    {
        try
        {
            var runs = Directory.EnumerateDirectories(path).Where(d => File.Exists(System.IO.Path.Combine(d, ConfigName))).Order(StringComparer.Ordinal).ToList();
            return runs.Count == 0 ? "" : $" It holds {Counted.Of(runs.Count, "run")}{(runs.Count == 1 ? "," : ", such as")} '{runs[^1]}'.";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <summary>The run that began last among those below a folder that fit.</summary>
    /// <param name="parent">--out.</param>
    /// <param name="fits">Which runs are meant.</param>
    /// <returns>Its path and config, or null when none fits.</returns>
    public static (string Path, RunRecord Record)? Newest(string parent, Func<RunRecord, bool> fits)
    {
        (string Path, RunRecord Record)? newest = null;
        if (!Directory.Exists(parent))
            return null;
        foreach (var path in Directory.EnumerateDirectories(parent).Order(StringComparer.Ordinal))
        {
            var config = System.IO.Path.Combine(path, ConfigName);
            if (!File.Exists(config) || System.IO.Path.GetFileName(path).StartsWith('.'))
                continue;
            RunRecord record;
            try
            {
                record = RunRecord.Read(config);
            }
            catch (BadFileException)
            {
                continue;   // some other folder with a config.json; naming it with --resume says what is wrong
            }
            if (fits(record) && (newest is null || record.Started >= newest.Value.Record.Started))
                newest = (path, record);
        }
        return newest;
    }

    /// <summary>Replaces environment.json.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Write(RunEnvironment environment) => RunJson.Write(System.IO.Path.Combine(Path, EnvironmentName), environment);

    /// <summary>Lets other processes work in the folder.</summary>
    public void Dispose() => _lock.Dispose();

    private static RunFolder Lock(string path) => new(path,
        new FileStream(System.IO.Path.Combine(path, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));

    /// <summary>Whether another process has the file open: EWOULDBLOCK of Linux or macOS, or a sharing violation of Windows.</summary>
    private static bool IsHeld(IOException e) => (e.HResult & 0xFFFF) == (OperatingSystem.IsWindows() ? 32 : OperatingSystem.IsMacOS() ? 35 : 11);

    private static string MoveToFreeName(string parent, string aside, RunRecord record)
    {
        var time = record.Started.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture);
        for (var i = 1; ; i++)
        {
            var path = System.IO.Path.Combine(parent, $"{time}-{record.Model}-{record.Task}{(i > 1 ? $"-{i}" : "")}");
            try
            {
                if (!System.IO.Path.Exists(path))
                {
                    Directory.Move(aside, path);
                    return path;
                }
            }
            catch (IOException) when (System.IO.Path.Exists(path))
            {
                // another process took the name in between
            }
        }
    }
}
