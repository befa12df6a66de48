using System.Runtime.Versioning;
using Zoo.Kernels.Cuda;
using Zoo.Tests.Files;

namespace Zoo.Tests.Kernels.Cuda;

[NonParallelizable]   // changes the process's environment
public sealed class CubinCacheTests
{
    private const string Variable = "XDG_CACHE_HOME";
    private static readonly CudaSource Source = CudaSource.Of(typeof(CubinCacheTests).Assembly, "Faults.cu");

    private TemporaryFolder _folder = null!;
    private string? _before;

    private string Folder => _folder.File("cache/zoo/cubin");

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        _before = Environment.GetEnvironmentVariable(Variable);
        Environment.SetEnvironmentVariable(Variable, _folder.File("cache"));
    }

    [TearDown]
    public void TearDown()
    {
        Environment.SetEnvironmentVariable(Variable, _before);
        _folder.Dispose();
    }

    [Test]
    public void Find_Kept_IsIt()
    {
        var key = CubinCache.Key(Source, ["sm_90"]);
        Assert.That(CubinCache.Find(key), Is.Null);
        CubinCache.Keep(key, [1, 2, 3]);
        Assert.That(CubinCache.Find(key), Is.EqualTo(new byte[] { 1, 2, 3 }));
    }

    [Test]
    public void Key_AnythingElse_IsAnother()
    {
        string[] keys =
        [
            CubinCache.Key(Source, ["sm_90"]), CubinCache.Key(Source, ["sm_90a"]), CubinCache.Key(Source, ["sm_90", ""]), CubinCache.Key(Source, ["sm_9", "0"]),
            CubinCache.Key(CudaSource.Of(typeof(CubinCacheTests).Assembly, "Header.cu"), ["sm_90"]),
        ];
        Assert.That(keys, Is.Unique);
        Assert.That(keys[0], Does.Match("^[0-9a-f]{64}$"));
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "It has no permission bits.")]
    [UnsupportedOSPlatform("windows")]
    public void Keep_File_IsTheUsersAlone()
    {
        CubinCache.Keep("a", [1]);
        Assert.That(File.GetUnixFileMode(Path.Combine(Folder, "a.cubin")), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        Assert.That(File.GetUnixFileMode(Folder), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "It has no permission bits.")]
    [UnsupportedOSPlatform("windows")]
    public void Find_FolderOfEverybody_IsRefused()
    {
        CubinCache.Keep("a", [1]);
        File.SetUnixFileMode(Folder, File.GetUnixFileMode(Folder) | UnixFileMode.OtherWrite);
        Assert.That(() => CubinCache.Find("a"), Throws.TypeOf<EnvironmentException>().With.Message.Contains("can be written by others"));
    }

    [TestCase(0)]
    [TestCase(10)]
    [TestCase(34)]
    public void Find_CutShort_IsNotTaken(int length)
    {
        CubinCache.Keep("a", [1, 2, 3]);
        var path = Path.Combine(Folder, "a.cubin");
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..length]);
        Assert.That(CubinCache.Find("a"), Is.Null);
        CubinCache.Keep("a", [1, 2, 3]);
        Assert.That(CubinCache.Find("a"), Is.Not.Null, "it is mended");
    }

    [Test]
    public void Find_OneBitFlipped_IsNotTaken()
    {
        CubinCache.Keep("a", [1, 2, 3]);
        var path = Path.Combine(Folder, "a.cubin");
        var content = File.ReadAllBytes(path);
        content[^1] ^= 1;
        File.WriteAllBytes(path, content);
        Assert.That(CubinCache.Find("a"), Is.Null);
    }

    [Test]
    public void Keep_ManyAtOnce_EveryReaderSeesAWholeOne()
    {
        var image = new byte[1 << 16];
        new Random(1).NextBytes(image);
        Parallel.For(0, 16, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            if (i % 2 == 0)
                CubinCache.Keep("a", image);
            else if (CubinCache.Find("a") is { } found)
                Assert.That(found, Is.EqualTo(image));
        });
        Assert.That(Directory.GetFiles(Folder).Select(Path.GetFileName), Is.EqualTo(new[] { "a.cubin" }), "nothing is left aside");
    }

    [Test]
    public void Keep_OldFiles_AreRemoved()
    {
        CubinCache.Keep("unused", [1]);
        CubinCache.Keep("used", [1]);
        _folder.Write("cache/zoo/cubin/x.cubin.0.partial", "");
        _folder.Write("cache/zoo/cubin/y.cubin.0.partial", "");
        Age("unused.cubin", 200);
        Age("used.cubin", 200);
        Age("x.cubin.0.partial", 2);
        Assert.That(CubinCache.Find("used"), Is.Not.Null);
        CubinCache.Keep("new", [1]);
        Assert.That(Directory.GetFiles(Folder).Select(Path.GetFileName), Is.EquivalentTo(new[] { "new.cubin", "used.cubin", "y.cubin.0.partial" }));

        void Age(string file, int days) => File.SetLastWriteTimeUtc(Path.Combine(Folder, file), DateTime.UtcNow.AddDays(-days));
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "A folder in the way is another error there.")]
    public void Keep_NoRoom_IsNoError()
    {
        CubinCache.Keep("first", [1]);
        Directory.CreateDirectory(Path.Combine(Folder, "a.cubin"));   // in the way
        Assert.That(() => CubinCache.Keep("a", [1]), Throws.Nothing);
        Assert.That(CubinCache.Find("a"), Is.Null);
    }
}
