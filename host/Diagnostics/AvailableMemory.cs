using System.Globalization;

namespace Zoo.Host.Diagnostics;

/// <summary>What a process can still have before Linux ends one: what the machine has free, or what its control groups leave it, whichever is less.</summary>
/// <param name="Memory">Bytes without swapping.</param>
/// <param name="Swap">Bytes of free swap.</param>
internal readonly record struct AvailableMemory(long Memory, long Swap)
{
    private const string Unlimited = "max";

    /// <summary>Of this process, now; null where the system does not say.</summary>
    public static AvailableMemory? Now => OperatingSystem.IsLinux() ? Read("/") : null;

    /// <summary>As the files below <paramref name="root"/> say.</summary>
    /// <param name="root">The system's root folder.</param>
    public static AvailableMemory? Read(string root)
    {
        var machine = Numbers(Path.Combine(root, "proc/meminfo"), unit: 1024);
        if (!machine.TryGetValue("MemAvailable:", out var free))
            return null;
        foreach (var left in LeftByGroups(root))
            free = Math.Min(free, left);
        return new AvailableMemory(Math.Max(0, free), machine.GetValueOrDefault("SwapFree:"));
    }

    /// <summary>What each group that the process is in, and each above it, leaves: the limit less what is used; pages of files that nobody uses can go.</summary>
    private static IEnumerable<long> LeftByGroups(string root)
    {
        foreach (var line in Lines(Path.Combine(root, "proc/self/cgroup")))
        {
            // "4:memory:/path" of the first version, "0::/path" of the second
            if (line.Split(':', 3) is not [_, var controllers, var path])
                continue;
            var isSecond = controllers.Length == 0;
            if (!isSecond && !controllers.Split(',').Contains("memory"))
                continue;
            var (limit, usage, idle) = isSecond ? ("memory.max", "memory.current", "inactive_file") : ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file");
            var mount = Path.Combine(root, isSecond ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
            foreach (var folder in FromGroupUp(mount, path))
            {
                if (One(Path.Combine(folder, limit)) is { } most && One(Path.Combine(folder, usage)) is { } used)
                    yield return most - used + Numbers(Path.Combine(folder, "memory.stat"), unit: 1).GetValueOrDefault(idle);
            }
        }
    }

    /// <summary>A container may see its own group as the mount, whatever the path says; folders that are not there say nothing.</summary>
    private static IEnumerable<string> FromGroupUp(string mount, string path)
    {
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries).TakeWhile(part => part != "..").ToList();
        for (var count = parts.Count; count >= 0; count--)
            yield return Path.Combine([mount, .. parts.Take(count)]);
    }

    private static long? One(string file) =>
        Lines(file).FirstOrDefault() is { } text && text != Unlimited && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static Dictionary<string, long> Numbers(string file, long unit)
    {
        var numbers = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var line in Lines(file))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var key, var value, ..] && long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                numbers[key] = number * unit;
        }
        return numbers;
    }

    private static string[] Lines(string file)
    {
        try
        {
            return File.Exists(file) ? File.ReadAllLines(file) : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
