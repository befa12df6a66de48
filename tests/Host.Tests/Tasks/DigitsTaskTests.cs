using System.Buffers.Binary;
using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Host.Tasks;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.Tasks;

public sealed class DigitsTaskTests
{
    private DirectoryInfo _folder = null!;

    [SetUp]
    public void CreateFolder() => _folder = Directory.CreateTempSubdirectory("zoo-digits-");

    [TearDown]
    public void DeleteFolder() => _folder.Delete(recursive: true);

    [Test]
    public void Open_NoData_GeneratesDigitsInZeroToOne()
    {
        using var scope = NewDisposeScope();
        using var data = Open(new JsonObject { ["train_count"] = 40, ["test_count"] = 20 });
        Assert.That(data.Shape, Is.EqualTo(new TaskShape(ModelKind.ImageClassifier) { ClassCount = 10, Image = new ImageShape(1, 28, 28) }));
        Assert.That(data.TrainingCount, Is.EqualTo(40));
        Assert.That(data.Description, Is.EqualTo("generated digits (version 1, seed 1): 40 to train on, 20 held out"));
        using var batch = (ImageBatch)data.TrainingBatch([3, 0, 39]);
        Assert.That(batch.Images.shape, Is.EqualTo((long[])[3, 1, 28, 28]));
        Assert.That(batch.Images.min().item<float>(), Is.Zero);
        Assert.That(batch.Images.max().item<float>(), Is.InRange(0.8f, 1f));
    }

    [Test]
    public void Open_OtherSeeds_ChangeTrainingOnly()
    {
        using var scope = NewDisposeScope();
        using var one = Open(new JsonObject { ["train_count"] = 5, ["test_count"] = 5 });
        using var two = Open(new JsonObject { ["train_count"] = 5, ["test_count"] = 5, ["generator_seed"] = 2 });
        long[] all = [0, 1, 2, 3, 4];
        Assert.That(Pixels(one.TrainingBatch(all)), Is.Not.EqualTo(Pixels(two.TrainingBatch(all))));
        Assert.That(Pixels(one.HeldOutBatch(one.HeldOut[0], all)), Is.EqualTo(Pixels(two.HeldOutBatch(two.HeldOut[0], all))));
        Assert.That(Pixels(one.HeldOutBatch(one.HeldOut[0], all)), Is.Not.EqualTo(Pixels(one.TrainingBatch(all))));
    }

    [Test]
    public void Open_Mnist_TakesTheFirstDigitsAsTheyAre()
    {
        using var scope = NewDisposeScope();
        WriteMnist();
        using var all = Open([], _folder.FullName);
        Assert.That((all.TrainingCount, all.HeldOut[0].Count), Is.EqualTo((6L, 4L)));
        using var some = Open(new JsonObject { ["train_count"] = 2, ["test_count"] = 3 }, _folder.FullName);
        Assert.That((some.TrainingCount, some.HeldOut[0].Count), Is.EqualTo((2L, 3L)));
        using var batch = (ImageBatch)some.TrainingBatch([1]);
        Assert.That(batch.Labels.item<long>(), Is.EqualTo(1));
        Assert.That(batch.Images[0, 0, 0, 1].item<float>(), Is.EqualTo(51 / 255f).Within(1e-7));   // the file's byte over 255, rounded once more
    }

    [Test]
    public void Open_MoreThanThereAre_NamesTheOptionAndBothNumbers()
    {
        WriteMnist();
        Assert.That(() => Open(new JsonObject { ["test_count"] = 5 }, _folder.FullName), Throws.TypeOf<UserException>()
            .With.Message.EqualTo($"'test_count' is 5, and MNIST from {_folder.FullName} has 4 of these digits."));
    }

    [Test]
    public void Open_Usps_SaysWhatItTakesInstead()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "zip.train"), "");
        File.WriteAllText(Path.Combine(_folder.FullName, "zip.test"), "");
        Assert.That(() => Open([], _folder.FullName), Throws.TypeOf<UserException>()
            .With.Message.EqualTo($"The task digits takes digits of 28 x 28, and {_folder.FullName} has those of USPS, 16 x 16; " +
                "name a folder with MNIST, or none for generated digits."));
    }

    [TestCase("train_count", 0), TestCase("test_count", 1_000_001), TestCase("train_cuont", 5)]
    public void Open_WrongOption_IsRefused(string key, int value) =>
        Assert.That(() => Open(new JsonObject { [key] = value }), Throws.TypeOf<ConfigException>().With.Message.Contains($"'{key}'"));

    private static TaskData Open(JsonObject options, string? data = null) =>
        new DigitsTask().Open(new TaskRequest { Options = options, DataPath = data });

    private static float[] Pixels(Batch batch) => ((ImageBatch)batch).Images.data<float>().ToArray();

    /// <summary>Six digits to train on and four to test: digit i is of class i, and its pixels are 51 i.</summary>
    private void WriteMnist()
    {
        foreach (var (name, count) in new[] { ("train", 6), ("t10k", 4) })
        {
            var images = new byte[16 + count * 28 * 28];
            var labels = new byte[8 + count];
            foreach (var (bytes, sizes) in new[] { (images, new[] { 0x803, count, 28, 28 }), (labels, new[] { 0x801, count }) })
            {
                for (var i = 0; i < sizes.Length; i++)
                    BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(4 * i), sizes[i]);
            }
            for (var i = 0; i < count; i++)
            {
                images.AsSpan(16 + i * 28 * 28, 28 * 28).Fill((byte)(51 * i));
                labels[8 + i] = (byte)i;
            }
            File.WriteAllBytes(Path.Combine(_folder.FullName, $"{name}-images-idx3-ubyte"), images);
            File.WriteAllBytes(Path.Combine(_folder.FullName, $"{name}-labels-idx1-ubyte"), labels);
        }
    }
}
