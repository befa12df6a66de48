using System.Diagnostics;
using Zoo.Host.Plugins;

namespace Zoo.Tests.Plugins;

public sealed class PluginAccessTests
{
    private const string Passwd = "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000:Ada:/home/ada:/bin/bash\n" +
        "bob:x:1001:1001::/home/bob:/bin/bash\neve:x:1002:1001::/home/eve:/bin/bash\n";
    private const string Group = "root:x:0:\nada:x:1000:\nbob:x:1001:\nlab:x:2000:ada,bob\nsolo:x:2001:ada\nbroken\n";

    [TestCase(1000u, 1000u, true, Description = "a user's own group")]
    [TestCase(0u, 0u, true, Description = "the superuser's")]
    [TestCase(1001u, 1001u, false, Description = "eve has bob's group as hers")]
    [TestCase(1000u, 2000u, false, Description = "a group of two")]
    [TestCase(1000u, 2001u, false, Description = "nobody's primary group: who may join is not in these files")]
    [TestCase(1001u, 1000u, false, Description = "ada's group on bob's file")]
    [TestCase(1000u, 4711u, false, Description = "a group that is kept elsewhere")]
    public void IsPrivateGroup_Groups_OnlyTheOwnersOwn(uint owner, uint group, bool isPrivate) =>
        Assert.That(PluginAccess.IsPrivateGroup(Passwd, Group, owner, group), Is.EqualTo(isPrivate));

    [Test]
    public void IsPrivateGroup_AnotherMember_IsNot() =>
        Assert.That(PluginAccess.IsPrivateGroup(Passwd, "ada:x:1000:bob\n", 1000, 1000), Is.False);

    [Test]
    public void Require_LinkToAFile_IsJudgedByTheFile()
    {
        using var sandbox = new PluginSandbox();
        var link = Path.Combine(sandbox.Folder, "link");
        File.CreateSymbolicLink(link, sandbox.Write("file", [1]));
        Assert.That(() => PluginAccess.Require(RealPath.Of(link)), Throws.Nothing);
    }

    [Test]
    [Platform(Include = "Linux", Reason = "Elsewhere a group that can write is always refused.")]
    public void Require_GroupCanWrite_DependsOnWhetherTheGroupIsTheOwnersOwn()
    {
        using var sandbox = new PluginSandbox();
        var path = sandbox.Write("file", [1]);
        PluginSandbox.Permit(path, UnixFileMode.GroupWrite);
        var ids = Run("stat", "-c", "%u %g", path).Split(' ').Select(uint.Parse).ToArray();
        if (PluginAccess.IsPrivateGroup(File.ReadAllText("/etc/passwd"), File.ReadAllText("/etc/group"), ids[0], ids[1]))
            Assert.That(() => PluginAccess.Require(path), Throws.Nothing);
        else
            Assert.That(() => PluginAccess.Require(path), Throws.TypeOf<PluginRefusedException>());
        if (!Environment.IsPrivilegedProcess)
            return;
        Run("chown", "4711:4712", path);   // a group that nobody has heard of
        Assert.That(() => PluginAccess.Require(path), Throws.TypeOf<PluginRefusedException>().With.Message.Contains("(mode 0664)"));
    }

    private static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, program);
        return output.Trim();
    }
}
