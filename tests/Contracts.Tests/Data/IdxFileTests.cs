using Zoo.Data;
using Zoo.Files;

namespace Zoo.Tests.Data;

[TestFixture]
public sealed class IdxFileTests
{
    private DataFiles _files = null!;

    [SetUp]
    public void MakeFolder() => _files = new DataFiles();

    [TearDown]
    public void RemoveFolder() => _files.Dispose();

    [Test]
    public void Read_PlainOrGzipUnderAnyName_GivesPixelsAndLabels([Values] bool packImages, [Values] bool packLabels)
    {
        var images = _files.Write("digits.bin", packImages ? DataFiles.Gzip(DataFiles.Images(3, 5, 4)) : DataFiles.Images(3, 5, 4));
        var labels = _files.Write("labels.gz", packLabels ? DataFiles.Gzip(DataFiles.Labels(7, 0, 9)) : DataFiles.Labels(7, 0, 9));
        var read = IdxFile.Read(images, labels);
        Assert.Multiple(() =>
        {
            Assert.That((read.Count, read.Height, read.Width), Is.EqualTo((3, 5, 4)));
            Assert.That(read.Pixels, Is.EqualTo(Enumerable.Range(0, 60).Select(i => (byte)i)));
            Assert.That(read.Labels, Is.EqualTo(new byte[] { 7, 0, 9 }));
            Assert.That(read.Image(2)[0], Is.EqualTo(40));
            Assert.That(read.Source, Is.EqualTo(images));
        });
    }

    private static readonly byte[] Noise = Enumerable.Range(0, 5000).Select(i => (byte)(i * i * 31 >> 3)).ToArray();

    private static IEnumerable<TestCaseData> BadImages =>
    [
        Case("empty", [], "'IMAGES' ends after 0 bytes, inside its header of 16; get it again."),
        Case("header_cut", DataFiles.Images(2, 5, 4)[..11], "'IMAGES' ends after 11 bytes, inside its header of 16; get it again."),
        Case("labels_file", DataFiles.Labels(1, 2), "'IMAGES' holds labels where the file of images was expected; are the two swapped?"),
        Case("foreign", "PNG, say, or something else"u8.ToArray(), "'IMAGES' is no IDX file of images: it begins with 0x504e472c and must begin with 0x00000803; name a file of MNIST's format."),
        Case("truncated", DataFiles.Images(2, 5, 4)[..55], "'IMAGES' is truncated: its header promises 2 images of 5 × 4 and the file has 55 bytes; get it again."),
        Case("longer", [.. DataFiles.Images(2, 5, 4), 0], "'IMAGES' goes on after the 2 images of 5 × 4 that its header promises; get it again."),
        Case("no_height", DataFiles.Images(2, 0, 4), "'IMAGES' is damaged: its header says that an image has 0 × 4 pixels; 1 to 4096 a side are possible. Get it again."),
        Case("huge_side", DataFiles.Idx(0x803, [1, 4, 5000], []), "'IMAGES' is damaged: its header says that an image has 4 × 5000 pixels; 1 to 4096 a side are possible. Get it again."),
        Case("huge_count", DataFiles.Idx(0x803, [uint.MaxValue, 4096, 4096], []), "'IMAGES' is damaged or too large: its header promises 4,294,967,295 images of 4096 × 4096, and 2,147,483,591 bytes are the most that one set may have."),
        Case("promises_2_GB", DataFiles.Idx(0x803, [127, 4096, 4096], []), "'IMAGES' is truncated: its header promises 127 images of 4096 × 4096 and the file has 16 bytes; get it again."),
        Case("gz_promises_2_GB", DataFiles.Gzip(DataFiles.Idx(0x803, [127, 4096, 4096], [])), "gzip bytes, which cannot hold them; get it again."),
        Case("gz_holds_less", DataFiles.Gzip(DataFiles.Images(2, 5, 4)[..55]), "'IMAGES' is truncated: its header promises 2 images of 5 × 4, 40 bytes, and 39 are there; get it again."),
        Case("gz_bomb", DataFiles.Gzip([.. DataFiles.Images(2, 5, 4), .. new byte[10_000_000]]), "'IMAGES' goes on after the 2 images of 5 × 4 that its header promises; get it again."),
        Case("gz_cut", DataFiles.Gzip(DataFiles.Idx(0x803, [2, 50, 50], Noise))[..^900], "'IMAGES' is"),
        Case("gz_cut_in_checksum", DataFiles.Gzip(DataFiles.Idx(0x803, [2, 50, 50], Noise))[..^6], "'IMAGES' is damaged: its gzip data break off or go wrong after about"),
        Case("gz_checksum_wrong", Spoil(DataFiles.Gzip(DataFiles.Idx(0x803, [2, 50, 50], Noise)), fromEnd: 6), "'IMAGES' is damaged: its gzip data break off or go wrong after about"),
        Case("gz_header_wrong", [0x1f, 0x8b, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99], "'IMAGES' is damaged: its gzip data break off or go wrong after about 0 unpacked bytes; get it again."),
        Case("one_label_short", DataFiles.Images(3, 5, 4), "'IMAGES' has 3 images but 'LABELS' has 2 labels; take both from the same set."),
    ];

    [TestCaseSource(nameof(BadImages))]
    public void Read_BadImages_OneSentence(byte[] content, string sentence)
    {
        var images = _files.Write("images", content);
        var labels = _files.Write("labels", DataFiles.Labels(1, 2));
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<BadFileException>(() => IdxFile.Read(images, labels))!;
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1_000_000), "allocated, whatever the header promises");
        Assert.That(error.Message.Replace(images, "IMAGES").Replace(labels, "LABELS"), Does.Contain(sentence));
    }

    private static IEnumerable<TestCaseData> BadLabels =>
    [
        Case("images_file", DataFiles.Images(1, 5, 4), "'LABELS' holds images where the file of labels was expected; are the two swapped?"),
        Case("label_10", DataFiles.Labels(1, 10), "'LABELS' has the label 10 for image 1; digits have labels 0 to 9. Name a set of digits."),
        Case("truncated", DataFiles.Labels(1, 2, 3)[..10], "'LABELS' is truncated: its header promises 3 labels and the file has 10 bytes; get it again."),
        Case("longer", [.. DataFiles.Labels(1, 2), 3], "'LABELS' goes on after the 2 labels that its header promises; get it again."),
    ];

    [TestCaseSource(nameof(BadLabels))]
    public void Read_BadLabels_OneSentence(byte[] content, string sentence)
    {
        var images = _files.Write("images", DataFiles.Images(2, 5, 4));
        var labels = _files.Write("labels", content);
        var error = Assert.Throws<BadFileException>(() => IdxFile.Read(images, labels))!;
        Assert.That(error.Message.Replace(labels, "LABELS"), Is.EqualTo(sentence));
    }

    [Test]
    public void Read_MissingFile_SaysSo()
    {
        var labels = _files.Write("labels", DataFiles.Labels(1, 2));
        var error = Assert.Throws<BadFileException>(() => IdxFile.Read(Path.Combine(_files.Folder, "nowhere"), labels))!;
        Assert.That(error.Message, Is.EqualTo($"'{_files.Folder}/nowhere' does not exist; check the path."));
    }

    [Test]
    public void Read_Folder_SaysSo()
    {
        var error = Assert.Throws<BadFileException>(() => IdxFile.Read(_files.Folder, _files.Folder))!;
        Assert.That(error.Message, Is.EqualTo($"'{_files.Folder}' is a folder; name a file."));
    }

    private static TestCaseData Case(string name, byte[] content, string sentence) => new TestCaseData(content, sentence).SetArgDisplayNames(name);

    private static byte[] Spoil(byte[] content, int fromEnd)
    {
        content[^fromEnd] ^= 0x55;
        return content;
    }
}
