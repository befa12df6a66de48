using System.Runtime.Versioning;
using Zoo.Native;
using Zoo.Tests.Files;

namespace Zoo.Tests.Native;

[NonParallelizable]   // changes the process's environment
[Platform(Exclude = "Win", Reason = "It has no permission bits.")]
[UnsupportedOSPlatform("windows")]
public sealed class UserCacheTests
{
    private const string Variable = "XDG_CACHE_HOME";
    private const UnixFileMode Mine = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private TemporaryFolder _folder = null!;
    private string? _before;

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
    public void Folder_New_IsTheUsersAlone()
    {
        var folder = UserCache.Folder("kernels");
        Assert.That(folder, Is.EqualTo(_folder.File("cache/zoo/kernels")));
        Assert.That(File.GetUnixFileMode(folder), Is.EqualTo(Mine));
        Assert.That(File.GetUnixFileMode(_folder.File("cache/zoo")), Is.EqualTo(Mine));
        Assert.That(UserCache.Folder("kernels"), Is.EqualTo(folder), "and so it is the second time");
    }

    [TestCase("cache/zoo/kernels", UnixFileMode.OtherWrite)]
    [TestCase("cache/zoo/kernels", UnixFileMode.GroupWrite)]
    [TestCase("cache/zoo", UnixFileMode.OtherWrite)]
    public void Folder_OthersCanWrite_IsRefused(string which, UnixFileMode theirs)
    {
        UserCache.Folder("kernels");
        File.SetUnixFileMode(_folder.File(which), Mine | theirs);
        Assert.That(() => UserCache.Folder("kernels"), Throws.TypeOf<EnvironmentException>().With.Message
            .EqualTo($"The cache folder '{_folder.File(which)}' can be written by others. Run `chmod go-w` on it, or remove it."));
    }

    [Test]
    public void Folder_OthersCanRead_IsTaken()
    {
        File.SetUnixFileMode(UserCache.Folder("kernels"), Mine | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        Assert.That(() => UserCache.Folder("kernels"), Throws.Nothing);
    }

    [Test]
    public void Folder_AFileIsInTheWay_SaysWhichFolder()
    {
        _folder.Write("cache", "");
        Assert.That(() => UserCache.Folder("kernels"), Throws.TypeOf<EnvironmentException>().With.Message
            .StartsWith($"The cache folder '{_folder.File("cache/zoo/kernels")}' cannot be used: ").And.Message.EndsWith($"Set {Variable} to a folder of your own."));
    }

    [Test]
    public void Folder_VariableIsARelativePath_IsNotUsed()
    {
        Environment.SetEnvironmentVariable(Variable, "cache");
        Assert.That(UserCache.Folder("zoo-test"), Does.StartWith(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)));
    }
}
