using Zoo.Data;
using Zoo.Files;

namespace Zoo.Tests.Data;

[TestFixture]
public sealed class UspsFileTests
{
    private DataFiles _files = null!;

    [SetUp]
    public void MakeFolder() => _files = new DataFiles();

    [TearDown]
    public void RemoveFolder() => _files.Dispose();

    [Test]
    public void Read_PlainOrGzip_GivesValuesAndLabels([Values] bool packed, [Values("\n", "\r\n")] string lineEnd, [Values] bool endsWithLineEnd)
    {
        var text = string.Concat(Enumerable.Range(0, 60).Select(i => DataFiles.UspsLine(i % 10))).Replace("\n", lineEnd);
        var bytes = System.Text.Encoding.UTF8.GetBytes(endsWithLineEnd ? text : text.TrimEnd());
        var digits = UspsFile.Read(_files.Write("zip.train", packed ? DataFiles.Gzip(bytes) : bytes));
        Assert.Multiple(() =>
        {
            Assert.That(digits.Labels, Is.EqualTo(Enumerable.Range(0, 60).Select(i => (byte)(i % 10))));
            Assert.That(digits.Image(59)[0], Is.EqualTo(-1f));
            Assert.That(digits.Image(59)[3], Is.EqualTo(-0.977f));
            Assert.That(digits.Image(59)[255], Is.EqualTo(0.992f));
        });
    }

    [Test]
    public void Take_SomeDigits_InTheOrderAsked()
    {
        var digits = UspsFile.Read(_files.Write("zip.train", DataFiles.UspsLine(1) + DataFiles.UspsLine(2) + DataFiles.UspsLine(3)));
        var taken = digits.Take([2, 0]);
        Assert.That(taken.Labels, Is.EqualTo(new byte[] { 3, 1 }));
        Assert.That(taken.Pixels, Has.Length.EqualTo(512));
        Assert.That(() => digits.Take([3]), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    private static IEnumerable<TestCaseData> Bad
    {
        get
        {
            var line = DataFiles.UspsLine(3);
            return
            [
                Case("empty", "", "'FILE' is empty; a file of USPS's format has one digit a line."),
                Case("blank_lines", "\n \n", "'FILE' is empty; a file of USPS's format has one digit a line."),
                Case("word", line + line.Replace("-0.992", "minus!"), "'FILE', line 2, column 15: 'minus!' is not a number. A line of USPS's format is a label and 256 values."),
                Case("label_10", line + DataFiles.UspsLine(10), "'FILE', line 2, column 1: 10.0000 is not a label; a digit's is 0 to 9. A line of USPS's format is a label and 256 values."),
                Case("label_half", "2.5" + line[6..], "'FILE', line 1, column 1: 2.5 is not a label; a digit's is 0 to 9. A line of USPS's format is a label and 256 values."),
                Case("label_nan", "NaN" + line[6..], "'FILE', line 1, column 1: NaN is not a label; a digit's is 0 to 9. A line of USPS's format is a label and 256 values."),
                Case("value_nan", line.Replace("-0.992", "NaN"), "'FILE', line 1, column 15: NaN is not within -1 and 1. A line of USPS's format is a label and 256 values."),
                Case("value_255", line.Replace("-0.992", "255"), "'FILE', line 1, column 15: 255 is not within -1 and 1. A line of USPS's format is a label and 256 values."),
                Case("too_many", line.TrimEnd() + " 0.5 0.5\n", "there are more than 256 values after the label. A line of USPS's format is a label and 256 values."),
                Case("too_few", line[..200] + "\n", "'FILE', line 1, ends at column 201 after 28 of 256 values; the file is truncated or of another format."),
                Case("cut_at_end", line + line[..^7], "'FILE', line 2, ends at column"),
                Case("binary", "\u0001\u0002\u001b[31m" + line, "'FILE', line 1, column 1: '???[31m3.0000' is not a number. A line of USPS's format is a label and 256 values."),
                Case("endless_line", new string(' ', 20_000), "'FILE', line 1, is longer than 16,384 bytes; a line of USPS's format is a label and 256 values."),
                Case("endless_line_later", line + new string('1', 200_000), "'FILE', line 2, is longer than 16,384 bytes; a line of USPS's format is a label and 256 values."),
            ];
        }
    }

    [TestCaseSource(nameof(Bad))]
    public void Read_BadFile_NamesLineAndColumn(string content, string sentence)
    {
        var path = _files.Write("zip.train", content);
        var error = Assert.Throws<BadFileException>(() => UspsFile.Read(path))!;
        Assert.That(error.Message.Replace(path, "FILE"), Does.Contain(sentence));
    }

    [Test]
    public void Read_GzipBomb_StopsAtTheFirstBadLine()
    {
        var path = _files.Write("zip.train.gz", DataFiles.Gzip(new byte[50_000_000]));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => UspsFile.Read(path), Throws.TypeOf<BadFileException>().With.Message.Contains("line 1, is longer than"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1_000_000));
    }

    [Test]
    public void Read_GzipCut_SaysThatItIsDamaged([Values(1, 8, 20, 300)] int bytes)
    {
        var text = string.Concat(Enumerable.Range(0, 10).Select(DataFiles.UspsLine));
        var path = _files.Write("zip.train.gz", DataFiles.Gzip(System.Text.Encoding.UTF8.GetBytes(text))[..^bytes]);
        Assert.That(() => UspsFile.Read(path), Throws.TypeOf<BadFileException>().With.Message.Contains("gzip data break off"));
    }

    private static TestCaseData Case(string name, string content, string sentence) => new TestCaseData(content, sentence).SetArgDisplayNames(name);
}
