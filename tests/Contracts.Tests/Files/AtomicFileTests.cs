using System.Text;
using Zoo.Files;

namespace Zoo.Tests.Files;

public sealed class AtomicFileTests
{
    [Test]
    public void Write_NewAndOldFile_HasTheContent()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("a.txt");
        AtomicFile.Write(path, "ä");
        Assert.That(File.ReadAllBytes(path), Is.EqualTo(Encoding.UTF8.GetBytes("ä")), "no byte order mark");
        AtomicFile.Write(path, [1, 2, 3]);
        Assert.That(File.ReadAllBytes(path), Is.EqualTo(new byte[] { 1, 2, 3 }));
        AtomicFile.Write(path, stream => stream.Write([4, 5]));
        Assert.That(File.ReadAllBytes(path), Is.EqualTo(new byte[] { 4, 5 }));
        Assert.That(Directory.GetFiles(folder.Path), Has.Length.EqualTo(1), "nothing is left aside");
    }

    [Test]
    public void Write_FailsMidway_LeavesTheOldFileAndNothingElse()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("a.txt", "old");
        Assert.That(() => AtomicFile.Write(path, stream =>
        {
            stream.Write(new byte[1 << 20]);
            stream.Flush();
            throw new InvalidDataException("midway");
        }), Throws.TypeOf<InvalidDataException>().With.Message.EqualTo("midway"));
        Assert.That(File.ReadAllText(path), Is.EqualTo("old"));
        Assert.That(Directory.GetFiles(folder.Path), Has.Length.EqualTo(1));
    }

    [Test]
    public void Write_WhileItWrites_TheOldFileIsThere()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("a.txt", "old");
        AtomicFile.Write(path, stream =>
        {
            stream.Write("new"u8);
            stream.Flush();
            Assert.That(File.ReadAllText(path), Is.EqualTo("old"));
        });
        Assert.That(File.ReadAllText(path), Is.EqualTo("new"));
    }

    [Test]
    public void Write_DiskFull_NamesTheFile()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("a.txt", "old");
        Assert.That(() => AtomicFile.Write(path, _ => throw new IOException("No space left on device")),
            Throws.TypeOf<IOException>().With.Message.EqualTo($"Could not write '{path}': No space left on device."));
        Assert.That(File.ReadAllText(path), Is.EqualTo("old"));
    }

    [Test]
    public void Write_BeyondALimitOnTheSizeOfFiles_NamesTheFile()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("a.txt", "old");
        Assert.That(() => AtomicFile.Write(path, _ => throw new ArgumentOutOfRangeException("value", "Specified file length was too large for the file system.")),
            Throws.TypeOf<IOException>().With.Message.EqualTo($"Could not write '{path}': Specified file length was too large for the file system."));
        Assert.That(File.ReadAllText(path), Is.EqualTo("old"));
        Assert.That(Directory.GetFiles(folder.Path), Has.Length.EqualTo(1));
    }

    [Test]
    public void Write_FolderMissing_SaysSo()
    {
        using var folder = new TemporaryFolder();
        Assert.That(() => AtomicFile.Write(folder.File("no/a.txt"), "x"), Throws.TypeOf<IOException>()
            .With.Message.EqualTo($"Could not write '{folder.File("no/a.txt")}': the folder '{folder.File("no")}' does not exist."));
    }

    [Test]
    public void Write_OntoAFolder_SaysSo()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.File("a"));
        Assert.That(() => AtomicFile.Write(folder.File("a"), "x"), Throws.TypeOf<IOException>()
            .With.Message.EqualTo($"Could not write '{folder.File("a")}': it is a folder."));
        Assert.That(Directory.GetFiles(folder.Path), Is.Empty);
    }

    [Test]
    [Platform("Linux")]
    public void Write_ToADevice_IsRefused()
    {
        Assert.That(() => AtomicFile.Write("/dev/zero", "x"), Throws.TypeOf<IOException>().With.Message.EqualTo(
            "Could not write '/dev/zero': it is a device, and the file would take its place."));
        Assert.That(() => AtomicFile.Write("/dev/../dev/zero", stream => stream.Write([1])), Throws.TypeOf<IOException>());
    }
}
