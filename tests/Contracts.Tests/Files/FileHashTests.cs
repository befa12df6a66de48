using Zoo.Files;

namespace Zoo.Tests.Files;

public sealed class FileHashTests
{
    [Test]
    public void Sha256_Cancelled_Throws()
    {
        using var folder = new TemporaryFolder();
        Assert.That(() => FileHash.Sha256(folder.Write("a", "abc"), new CancellationToken(canceled: true)), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void Sha256_KnownText_GivesTheKnownDigest()
    {
        using var folder = new TemporaryFolder();
        Assert.That(FileHash.Sha256(folder.Write("a", "abc")), Is.EqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    }

    [Test]
    public void Sha256_MissingFile_IsNamed()
    {
        using var folder = new TemporaryFolder();
        Assert.That(() => FileHash.Sha256(folder.File("none")), Throws.TypeOf<BadFileException>().With.Message.EqualTo($"There is no file '{folder.File("none")}'."));
        Assert.That(() => FileHash.Sha256(folder.Path), Throws.TypeOf<BadFileException>().With.Message.Contains("cannot be read"));
    }
}
