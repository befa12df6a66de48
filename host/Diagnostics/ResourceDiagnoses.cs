using System.Globalization;
using Zoo.Files;
using Zoo.Native;

namespace Zoo.Host.Diagnostics;

/// <summary>Memory, disk and the folders that Zoo writes to.</summary>
internal static class ResourceDiagnoses
{
    private const long LittleMemory = 2L << 30;
    private const long LittleDisk = 1L << 30;

    public static IEnumerable<Diagnosis> Examine()
    {
        yield return Memory();
        yield return Disk("disk", Directory.GetCurrentDirectory(), "runs are written to the current folder unless --out names another");
        yield return Cache();
    }

    private static Diagnosis Memory()
    {
        var total = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        long? available = AvailableMemory.Now is { } now ? Math.Min(now.Memory, total) : null;
        var little = (available ?? total) < LittleMemory;
        return new Diagnosis("memory", little ? DiagnosisStatus.Hint : DiagnosisStatus.Ok,
            available is { } free ? $"{Size(free)} free of {Size(total)}" : Size(total))
        {
            Hint = little ? "Small models train in this; close something before training larger ones." : null,
        };
    }

    private static Diagnosis Disk(string part, string folder, string use)
    {
        try
        {
            var free = new DriveInfo(folder).AvailableFreeSpace;
            return new Diagnosis(part, free < LittleDisk ? DiagnosisStatus.Hint : DiagnosisStatus.Ok, $"{Size(free)} free in {folder}; {use}")
            {
                Hint = free < LittleDisk ? "Checkpoints of larger models may not fit; free some, or name another folder with --out." : null,
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return new Diagnosis(part, DiagnosisStatus.Hint, $"{folder}: {FileTrouble.Words(e)}") { Hint = "Name a folder with --out." };
        }
    }

    private static Diagnosis Cache()
    {
        const string part = "cache";
        try
        {
            return Disk(part, UserCache.Folder("native"), "patched libraries and compiled kernels");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Diagnosis(part, DiagnosisStatus.Hint, e.Message) { Hint = "Set XDG_CACHE_HOME to a folder of your own that you can write to." };
        }
    }

    private static string Size(long bytes) => bytes >= 10L << 30
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes >> 30} GiB")
        : string.Create(CultureInfo.InvariantCulture, $"{(double)bytes / (1 << 30):F1} GiB");
}
