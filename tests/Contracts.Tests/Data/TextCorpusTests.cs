using System.Text;
using Zoo.Data;
using Zoo.Files;

namespace Zoo.Tests.Data;

public sealed class TextCorpusTests
{
    private DirectoryInfo _folder = null!;

    [SetUp]
    public void CreateFolder() => _folder = Directory.CreateTempSubdirectory("zoo-corpus-");

    [TearDown]
    public void DeleteFolder() => _folder.Delete(recursive: true);

    [Test]
    public void Read_File_GivesCharactersInTheOrderOfTheirCodePoints()
    {
        var corpus = TextCorpus.Read(Write("a.txt", "béa\n😀b"));
        var ids = corpus.Characters(out var encoding);
        Assert.That(encoding.Decode([0, 1, 2, 3, 4]), Is.EqualTo("\nabé😀"));
        Assert.That(ids, Is.EqualTo((ushort[])[2, 3, 1, 0, 4, 2]));
        Assert.That(corpus.Source, Is.EqualTo("a.txt"));
    }

    [Test]
    public void Read_Folder_TakesFilesOfEveryLevelInTheOrderOfTheirPaths()
    {
        Write("b.txt", "2");
        Write("B.txt", "1");
        Write("c/a.txt", "3");
        Write("c/d/e.md", "4");
        Write("é.txt", "6");
        Write("z.txt", "5");
        Write("empty.txt", "");
        Write(".hidden", "no");
        Write(".git/config", "no");
        var corpus = TextCorpus.Read(_folder.FullName);
        Assert.That(Encoding.UTF8.GetString(corpus.Bytes), Is.EqualTo("123456"));
        Assert.That(corpus.Source, Is.EqualTo($"7 files in {_folder.Name}"));
    }

    [Test]
    public void Read_LinkToAFolder_IsPassedOverAndOneToAFileIsFollowed()
    {
        var target = Write("sub/a.txt", "abc");
        Directory.CreateSymbolicLink(Path.Combine(_folder.FullName, "sub", "loop"), _folder.FullName);
        File.CreateSymbolicLink(Path.Combine(_folder.FullName, "link.txt"), target);
        Assert.That(TextCorpus.Read(_folder.FullName).Bytes, Has.Length.EqualTo(6));
    }

    [Test]
    public void Read_ByteOrderMarks_AreLeftOut()
    {
        Write("a.txt", "\ufeffone");
        Write("b.txt", "\ufefftwo");
        Assert.That(Encoding.UTF8.GetString(TextCorpus.Read(_folder.FullName).Bytes), Is.EqualTo("onetwo"));
    }

    [Test]
    public void Fingerprint_OtherText_IsOther()
    {
        var one = TextCorpus.Read(Write("a.txt", "abc"));
        Assert.That(one.Fingerprint, Is.EqualTo("ba7816bf8f01cfea"));   // SHA-256 of "abc" (FIPS 180-2, appendix B.1)
        Assert.That(TextCorpus.Read(Write("a.txt", "abd")).Fingerprint, Is.Not.EqualTo(one.Fingerprint));
    }

    [Test]
    public void Characters_NoUtf8_NamesFileAndByte()
    {
        Write("a.txt", "fine");
        var bad = Path.Combine(_folder.FullName, "b.bin");
        File.WriteAllBytes(bad, [65, 66, 0x89, 0x50]);
        Assert.That(() => TextCorpus.Read(_folder.FullName).Characters(out _), Throws.TypeOf<BadFileException>().With.Message.EqualTo(
            $"'{bad}' is no UTF-8 text: byte 2 is 0x89. Save it as UTF-8, take it out, or use the task byte-lm."));
    }

    [TestCase("ff fe 41 00", "it looks like UTF-16"), TestCase("41 00", "byte 1 is 0x00"), TestCase("41 c3", "byte 1 is 0xc3"),
        TestCase("ed a0 80", "byte 0 is 0xed")]
    public void Characters_OtherBytes_SaysWhatIsWrong(string bytes, string reason)
    {
        var path = Path.Combine(_folder.FullName, "a.txt");
        File.WriteAllBytes(path, Convert.FromHexString(bytes.Replace(" ", "")));
        Assert.That(() => TextCorpus.Read(path).Characters(out _), Throws.TypeOf<BadFileException>().With.Message.Contains(reason));
    }

    [Test]
    public void Read_NothingThere_SaysSo()
    {
        var path = _folder.FullName;
        Assert.That(() => TextCorpus.Read(Path.Combine(path, "no")), Refuses("does not exist"));
        Assert.That(() => TextCorpus.Read(path), Refuses("has no files"));
        Assert.That(() => TextCorpus.Read(Write("a.txt", "")), Refuses("is empty"));
        Write("b.txt", "");
        Assert.That(() => TextCorpus.Read(path), Refuses("has 2 files, all empty"));
        var mark = Path.Combine(path, "c.txt");
        File.WriteAllBytes(mark, [0xEF, 0xBB, 0xBF]);
        Assert.That(() => TextCorpus.Read(mark), Refuses("has a byte order mark and nothing else; name a file with text."));
        Assert.That(() => TextCorpus.Read(path), Refuses("has a byte order mark and nothing else; name a folder with text files."));
    }

    [Test]
    public void Read_TooLarge_IsRefusedByItsSize()
    {
        var path = Write("a.txt", "");
        using (var file = File.OpenWrite(path))
            file.SetLength(TextCorpus.MostBytes + 1);   // sparse
        Assert.That(() => TextCorpus.Read(path), Refuses("536,870,913 bytes"));
    }

    private static NUnit.Framework.Constraints.IResolveConstraint Refuses(string reason) =>
        Throws.TypeOf<BadFileException>().With.Message.Contains(reason);

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text, new UTF8Encoding(false));
        return path;
    }
}
