using Zoo.Host.Diagnostics;

namespace Zoo.Tests.Diagnostics;

/// <summary>What Linux leaves a process: the machine's free memory, or less where a control group has less.</summary>
internal sealed class AvailableMemoryTests
{
    private const string Unlimited = "9223372036854771712";
    private DirectoryInfo _root = null!;

    [SetUp]
    public void SetUp()
    {
        _root = Directory.CreateTempSubdirectory("zoo-memory-");
        Write("proc/meminfo", "MemTotal:       8000 kB\nMemFree:         100 kB\nMemAvailable:   6000 kB\nSwapFree:         50 kB\n");
    }

    [TearDown]
    public void TearDown() => _root.Delete(recursive: true);

    [Test]
    public void Read_NoGroups_IsTheMachines() => Assert.That(Read(), Is.EqualTo(new AvailableMemory(6000 << 10, 50 << 10)));

    [Test]
    public void Read_NoMeminfo_IsNull()
    {
        File.Delete(Path.Combine(_root.FullName, "proc/meminfo"));
        Assert.That(Read(), Is.Null);
    }

    [Test]
    public void Read_SecondVersion_TakesTheTightestGroupOnTheWayUp()
    {
        Write("proc/self/cgroup", "0::/user/job\n");
        Group("sys/fs/cgroup/user/job", "max", "700000");
        Group("sys/fs/cgroup/user", "4000000", "1000000", "anon 600000\ninactive_file 250000\n");

        Assert.That(Read()!.Value.Memory, Is.EqualTo(3_250_000));
    }

    [Test]
    public void Read_FirstVersion_TakesTheMemoryController()
    {
        Write("proc/self/cgroup", "7:cpu,cpuacct:/a\n4:memory:/a\n0::/\n");
        foreach (var (folder, limit) in new[] { ("sys/fs/cgroup/memory/a", "5000000"), ("sys/fs/cgroup/memory", Unlimited) })
        {
            Write($"{folder}/memory.limit_in_bytes", limit + "\n");
            Write($"{folder}/memory.usage_in_bytes", "4000000\n");
            Write($"{folder}/memory.stat", "inactive_file 1\ntotal_inactive_file 500\n");
        }

        Assert.That(Read()!.Value.Memory, Is.EqualTo(1_000_500));
    }

    [TestCase("0::/docker/4711\n", TestName = "Read_ContainerThatSeesItsGroupAsTheMount_TakesIt")]
    [TestCase("0::/../../other\n", TestName = "Read_GroupOutsideTheContainer_TakesTheMount")]
    public void Read_ContainersOwnMount(string groups)
    {
        Write("proc/self/cgroup", groups);
        Group("sys/fs/cgroup", "2000000", "2500000");

        Assert.That(Read()!.Value.Memory, Is.Zero, "more is used than allowed");
    }

    [Test]
    [Platform("Linux")]
    public void Now_ThisMachine_IsSome() => Assert.That(AvailableMemory.Now!.Value.Memory, Is.GreaterThan(1 << 20));

    private AvailableMemory? Read() => AvailableMemory.Read(_root.FullName);

    private void Group(string folder, string limit, string used, string stat = "")
    {
        Write($"{folder}/memory.max", limit + "\n");
        Write($"{folder}/memory.current", used + "\n");
        Write($"{folder}/memory.stat", stat);
    }

    private void Write(string file, string text)
    {
        var path = Path.Combine(_root.FullName, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
