namespace Zoo.Tests.Runs;

/// <summary>Commands whose result has no room: a file system of few bytes, in a name space of its own, as an unprivileged user may have it.</summary>
[Platform("Linux", Reason = "Mounts and limits are set by Linux's tools.")]
internal sealed class DiskFullTests
{
    private DirectoryInfo _folder = null!;
    private string _run = "";
    private string _published = "";

    [OneTimeSetUp]
    public void SetUp()
    {
        _folder = Directory.CreateTempSubdirectory("zoo-disk-");
        var trained = ZooProcess.Run(["train", "lenet1989", "--steps", "0", "--out", Path.Combine(_folder.FullName, "runs")]);
        Assert.That(trained.ExitCode, Is.Zero, trained.Error);
        _run = Directory.GetDirectories(Path.Combine(_folder.FullName, "runs")).Single();
        _published = Path.Combine(_folder.FullName, "published");
        Assert.That(ZooProcess.Run(["export", _run, _published]).ExitCode, Is.Zero);
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "full"));
    }

    [OneTimeTearDown]
    public void TearDown() => _folder.Delete(recursive: true);

    [TestCase("import lenet1989 PUBLISHED --out FULL", "--out FULL: a run folder cannot be made there: ")]
    [TestCase("export RUN FULL/weights.safetensors", "The file system refused: Could not write 'FULL/weights.safetensors': ")]
    [TestCase("export RUN FULL/new/folder", "The file system refused: Could not write 'FULL/new/folder/model.safetensors': ")]
    [TestCase("import lenet1989 PUBLISHED --out FULL/new", "--out FULL/new: a run folder cannot be made there: ")]
    [TestCase("report RUN --out FULL/report.html", "Could not write 'FULL/report.html': ")]
    public void Write_NoRoom_IsTheEnvironmentsLackAndLeavesNothing(string command, string sentence)
    {
        const string tooLarge = "Specified file length was too large for the file system.";
        var unshare = ZooProcess.Shell("unshare --user --map-root-user --mount true");
        if (unshare.ExitCode == 0)
            RequireRefused($"unshare --user --map-root-user --mount bash -c \"mount -t tmpfs -o size=8k tmpfs 'FULL' && {Zoo(command)}; code=\\$?; ls -A 'FULL'; exit \\$code\"", "No space left on device.");
        RequireRefused($"trap '' XFSZ; ulimit -f 5; {Zoo(command)}; code=$?; ls -A 'FULL'; exit $code", tooLarge);

        void RequireRefused(string script, string reason)
        {
            var refused = ZooProcess.Shell(Filled(script));
            Assert.That((refused.ExitCode, refused.Output), Is.EqualTo((3, "")), refused.Error);
            Assert.That(refused.Error, Does.Contain(Filled(sentence) + reason).And.Not.Contain("   at "));
        }
    }

    private static string Zoo(string command) => $"dotnet '{Path.Combine(ZooProcess.Folder, "zoo.dll")}' {command}";

    private string Filled(string text) => text.Replace("PUBLISHED", _published).Replace("RUN", _run).Replace("FULL", Path.Combine(_folder.FullName, "full"));
}
