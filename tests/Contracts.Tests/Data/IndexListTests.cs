using Zoo.Data;
using Zoo.Files;

namespace Zoo.Tests.Data;

[TestFixture]
public sealed class IndexListTests
{
    private DataFiles _files = null!;

    [SetUp]
    public void MakeFolder() => _files = new DataFiles();

    [TearDown]
    public void RemoveFolder() => _files.Dispose();

    [TestCase("3\n0\n9\n")]
    [TestCase("\ufeff3\r\n0\r\n9")]
    [TestCase(" 3 \n\n0\n9\n\n")]
    public void Read_GoodList_KeepsTheOrder(string content) =>
        Assert.That(IndexList.Read(_files.Write("list.txt", content), 10), Is.EqualTo(new[] { 3, 0, 9 }));

    [TestCase("1\n2\n10\n", "'LIST', line 3: there is no example 10; the set has 10, counted from 0.")]
    [TestCase("1\nseven\n", "'LIST', line 2: 'seven' is not a number; write one number of an example a line, counted from 0.")]
    [TestCase("-1\n", "'LIST', line 1: '-1' is not a number; write one number of an example a line, counted from 0.")]
    [TestCase("1 2\n", "'LIST', line 1: '1 2' is not a number; write one number of an example a line, counted from 0.")]
    [TestCase("99999999999999999999999\n", "'LIST', line 1: '99999999999999999999…' is not a number; write one number of an example a line, counted from 0.")]
    [TestCase("4\n\n4\n", "'LIST', line 3: example 4 is already on line 1; name each once.")]
    [TestCase("\n", "'LIST' is empty; write one number of an example a line, counted from 0.")]
    public void Read_BadList_NamesTheLine(string content, string sentence)
    {
        var path = _files.Write("list.txt", content);
        var error = Assert.Throws<BadFileException>(() => IndexList.Read(path, 10))!;
        Assert.That(error.Message.Replace(path, "LIST"), Is.EqualTo(sentence));
    }

    [Test]
    public void Read_FarTooLong_IsNotRead()
    {
        var path = _files.Write("list.txt", new byte[5_000]);
        Assert.That(() => IndexList.Read(path, 10), Throws.TypeOf<BadFileException>().With.Message.Contains("is no list of examples: it has 5,000 bytes"));
    }

    [Test]
    public void Read_Gzip_SaysSo()
    {
        var path = _files.Write("list.txt", DataFiles.Gzip("1\n"u8.ToArray()));
        Assert.That(() => IndexList.Read(path, 10), Throws.TypeOf<BadFileException>().With.Message.Contains("it is gzip"));
    }
}
