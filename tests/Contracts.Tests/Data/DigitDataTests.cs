using Zoo.Data;
using Zoo.Files;

namespace Zoo.Tests.Data;

[TestFixture]
public sealed class DigitDataTests
{
    private DataFiles _files = null!;

    [SetUp]
    public void MakeFolder() => _files = new DataFiles();

    [TearDown]
    public void RemoveFolder() => _files.Dispose();

    [Test]
    public void Find_FolderWithMnist_ReadsEverySpelling([Values("", ".gz")] string suffix, [Values('-', '.')] char separator)
    {
        _files.WriteMnist("digits", suffix, separator);
        var data = DigitData.Find(At("digits"));
        var (training, test) = data.ReadMnist();
        Assert.Multiple(() =>
        {
            Assert.That(data.Format, Is.EqualTo(DigitFormat.Mnist));
            Assert.That(data.Description, Is.EqualTo($"MNIST from {At("digits")}"));
            Assert.That(training.Source, Is.EqualTo(data.Description));
            Assert.That(training.Labels, Is.EqualTo(new byte[] { 7, 8, 9 }));
            Assert.That(test.Labels, Is.EqualTo(new byte[] { 0, 1 }));
            Assert.That(data.ReadLists(3, 2), Is.Null);
            Assert.That(data.ReadUsps, Throws.InvalidOperationException);
        });
    }

    [Test]
    public void Find_FolderWithUsps_ReadsIt()
    {
        _files.WriteUsps("digits");
        var data = DigitData.Find(At("digits"));
        var (training, test) = data.ReadUsps();
        Assert.Multiple(() =>
        {
            Assert.That(data.Format, Is.EqualTo(DigitFormat.Usps));
            Assert.That(data.Description, Is.EqualTo($"USPS from {At("digits")}"));
            Assert.That(training.Labels, Is.EqualTo(new byte[] { 3, 4 }));
            Assert.That(test.Labels, Is.EqualTo(new byte[] { 5 }));
            Assert.That(data.ReadMnist, Throws.InvalidOperationException);
        });
    }

    [Test]
    public void Find_FolderOverBoth_TakesMnistAndSaysSo([Values("mnist", "MNIST/raw")] string mnist)
    {
        _files.WriteMnist($"data/{mnist}");
        _files.WriteUsps("data/usps");
        var data = DigitData.Find(At("data"));
        Assert.That(data.Folder, Is.EqualTo(At($"data/{mnist}")));
        Assert.That(data.Description, Is.EqualTo($"MNIST from {At($"data/{mnist}")} (USPS in {At("data/usps")} is not used)"));
    }

    [Test]
    public void Find_FolderOverUspsAlone_TakesIt()
    {
        _files.WriteUsps("data/usps");
        Assert.That(DigitData.Find(At("data")).Description, Is.EqualTo($"USPS from {At("data/usps")}"));
    }

    [Test]
    public void Find_OneOfTheFiles_TakesItsSet()
    {
        _files.WriteMnist("both", ".gz");
        _files.WriteUsps("both");
        Assert.That(DigitData.Find(At("both/t10k-labels-idx1-ubyte.gz")).Format, Is.EqualTo(DigitFormat.Mnist));
        Assert.That(DigitData.Find(At("both/zip.test.gz")).Format, Is.EqualTo(DigitFormat.Usps));
    }

    [Test]
    public void Find_NamedFileHasAnotherSpellingBesideIt_TakesTheNamedOne()
    {
        _files.WriteMnist("digits");
        _files.Write("digits/train-labels-idx1-ubyte.gz", DataFiles.Gzip(DataFiles.Labels(1, 1, 1)));
        Assert.That(DigitData.Find(At("digits")).ReadMnist().Training.Labels, Is.EqualTo(new byte[] { 7, 8, 9 }));
        Assert.That(DigitData.Find(At("digits/train-labels-idx1-ubyte.gz")).ReadMnist().Training.Labels, Is.EqualTo(new byte[] { 1, 1, 1 }));
    }

    [TestCase("data/mnist", TestName = "ReadLists_InMnistsFolder_AreFound")]
    [TestCase("data", TestName = "ReadLists_InTheNamedFolder_AreFound")]
    [TestCase("data/lenet1989", TestName = "ReadLists_InLenet1989BesideMnist_AreFound")]
    [TestCase("data/mnist/lenet1989", TestName = "ReadLists_InLenet1989BelowMnist_AreFound")]
    public void ReadLists_Anywhere(string folder)
    {
        _files.WriteMnist("data/mnist");
        _files.Write($"{folder}/train-indices.txt", "2\n0\n");
        _files.Write($"{folder}/test-indices.txt", "1");
        var lists = DigitData.Find(At("data")).ReadLists(3, 2)!.Value;
        Assert.That(lists.Training, Is.EqualTo(new[] { 2, 0 }));
        Assert.That(lists.Test, Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public void Find_OneListWithoutTheOther_SaysWhatIsMissing()
    {
        _files.WriteMnist("data");
        _files.Write("data/test-indices.txt", "1");
        Assert.That(() => DigitData.Find(At("data")), Sentence("'{0}/data' has test-indices.txt and lacks train-indices.txt; add it, or remove the other one to use all examples."));
    }

    [Test]
    public void Find_NothingThere_SaysWhatWasLookedForAndWhatIsThere()
    {
        _files.Write("data/notes.txt", "");
        _files.Write("data/photos/1.png", "");
        Assert.That(() => DigitData.Find(At("data")), Sentence("'{0}/data' has no digits: looked for MNIST (train-images-idx3-ubyte, … with or without .gz, there or in mnist/ or MNIST/raw/) and USPS (zip.train, zip.test with or without .gz, there or in usps/); it has notes.txt, photos/."));
    }

    [Test]
    public void Find_EmptyFolder_SaysSo()
    {
        Directory.CreateDirectory(At("data"));
        Assert.That(() => DigitData.Find(At("data")), Throws.TypeOf<BadFileException>().With.Message.EndsWith("; it is empty."));
    }

    [Test]
    public void Find_NoSuchPath_SaysSo() =>
        Assert.That(() => DigitData.Find(At("nowhere")), Sentence("'{0}/nowhere' does not exist; name a folder with the files of MNIST or USPS, or one of the files."));

    [Test]
    public void Find_OtherFile_SaysHowTheFilesAreNamed()
    {
        _files.Write("digits.csv", "");
        Assert.That(() => DigitData.Find(At("digits.csv")), Sentence("'{0}/digits.csv' is not named like a file of digits: MNIST's are train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, those of USPS zip.train and zip.test, each with or without .gz."));
    }

    [Test]
    public void Find_PartOfMnist_SaysWhatIsMissingAndTakesNoOtherSet()
    {
        _files.WriteMnist("data/mnist");
        _files.WriteUsps("data/usps");
        File.Delete(At("data/mnist/t10k-images-idx3-ubyte"));
        Assert.That(() => DigitData.Find(At("data")), Sentence("'{0}/data/mnist' has train-images-idx3-ubyte and lacks t10k-images-idx3-ubyte (or .gz); add what is missing."));
    }

    [Test]
    public void ReadMnist_OtherSize_SaysSo()
    {
        _files.WriteMnist("data");
        _files.Write("data/t10k-images-idx3-ubyte", DataFiles.Images(2, 32, 32));
        Assert.That(() => DigitData.Find(At("data")).ReadMnist(), Sentence("'{0}/data/t10k-images-idx3-ubyte' has images of 32 × 32; MNIST's are 28 × 28. Name a set of that size."));
    }

    [Test]
    public void ReadMnist_NoImages_SaysSo()
    {
        _files.WriteMnist("data");
        _files.Write("data/t10k-images-idx3-ubyte", DataFiles.Images(0, 28, 28));
        _files.Write("data/t10k-labels-idx1-ubyte", DataFiles.Labels());
        Assert.That(() => DigitData.Find(At("data")).ReadMnist(), Sentence("'{0}/data/t10k-images-idx3-ubyte' has no images; get it again."));
    }

    [Test]
    public void Take_SomeImages_InTheOrderAsked()
    {
        _files.WriteMnist("data");
        var images = DigitData.Find(At("data")).ReadMnist().Training;
        var taken = images.Take([2, 0]);
        Assert.That(taken.Labels, Is.EqualTo(new byte[] { 9, 7 }));
        Assert.That(taken.Image(0).ToArray(), Is.EqualTo(images.Image(2).ToArray()));
        Assert.That(() => images.Take([-1]), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    private string At(string path) => Path.Combine(_files.Folder, path);

    private NUnit.Framework.Constraints.Constraint Sentence(string format) =>
        Throws.TypeOf<BadFileException>().With.Message.EqualTo(string.Format(format, _files.Folder));
}
