using System.Diagnostics;
using System.Globalization;

namespace Zoo.Tests.Diagnostics;

/// <summary>Linux refuses a training the memory that is not there, instead of killing it later.</summary>
[Platform("Linux")]
internal sealed class MemoryBoundTests
{
    private const int SigTerm = 15;
    private DirectoryInfo _folder = null!;

    [SetUp]
    public void SetUp() => _folder = Directory.CreateTempSubdirectory("zoo-bound-");

    [TearDown]
    public void TearDown() => _folder.Delete(recursive: true);

    [TestCase("train transformer --preset tiny --length 16 --steps 100000000")]
    [TestCase("bench transformer --preset tiny --mode decode --length 32 --runs 100000000")]
    public void Verb_WhileItComputes_HasABoundBelowTheMachinesMemory(string command)
    {
        long? bound = null;
        var ended = ZooProcess.Signalled(
            [.. command.Split(' '), .. command.StartsWith("train", StringComparison.Ordinal) ? new[] { "--out", _folder.FullName } : []],
            process => bound = WaitForBound(process), [SigTerm]);

        Assert.That(bound, Is.Not.Null, ended.Error);
        Assert.That(bound, Is.LessThan(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes * 2));
    }

    /// <summary>The limit on data, as soon as there is one; null after a minute.</summary>
    private static long? WaitForBound(Process process)
    {
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < TimeSpan.FromMinutes(1) && !process.HasExited; Thread.Sleep(20))
        {
            var line = File.ReadLines($"/proc/{process.Id}/limits").First(l => l.StartsWith("Max data size", StringComparison.Ordinal));
            if (long.TryParse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3], NumberStyles.None, CultureInfo.InvariantCulture, out var bytes))
                return bytes;
        }
        return null;
    }
}
