using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Files;
using Zoo.Kernels;
using Zoo.LeNet;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.LeNet;

[TestFixture]
public sealed class DigitsTaskTests
{
    [Test]
    public void Plugin_Services_HaveOpsAndTask()
    {
        var services = new ServiceCollection();
        new LeNetPlugin().ConfigureServices(services);
        using var provider = services.BuildServiceProvider();
        var architecture = new LeNetArchitecture();
        Assert.That(provider.GetServices<Op>().Select(o => o.Name), Is.SupersetOf(architecture.Info.Ops));
        Assert.That(provider.GetServices<ITask>().Select(t => t.Info.Name), Has.Member(architecture.Info.DefaultTask));
    }

    [Test]
    public void Open_NoData_GivesAsManyDigitsAsIn1989()
    {
        using var data = Open();
        Assert.That(data.TrainingCount, Is.EqualTo(7291));
        Assert.That(data.HeldOut.Select(s => (s.Name, s.Count)), Is.EqualTo(new[] { ("test", 2007L) }));
        Assert.That(data.Description, Does.StartWith("generated digits").And.Contain("7,291 to train on, 2,007 held out"));
        Assert.That((data.Shape.Kind, data.Shape.ClassCount, data.Shape.Image),
            Is.EqualTo((ModelKind.ImageClassifier, (int?)10, new ImageShape(1, 16, 16))));
        using var batch = (ImageBatch)data.TrainingBatch(Indices(0, 7291));
        Assert.That(batch.Images.shape, Is.EqualTo(new long[] { 7291, 1, 16, 16 }));
        Assert.That(batch.Images.dtype, Is.EqualTo(ScalarType.Float32));
        using var scope = NewDisposeScope();
        Assert.That((batch.Images.min().item<float>(), batch.Images.max().item<float>()), Is.EqualTo((-1f, 1f)).Within(0.05f));
        Assert.That(batch.Images.mean().item<float>(), Is.InRange(-0.9f, -0.3f), "more paper than ink");
        Assert.That(batch.Labels.bincount(null, 10).data<long>().ToArray(), Is.All.InRange(600, 860));
    }

    [Test]
    public void Open_Twice_GivesTheSameDigitsAndHeldOutOnesWhateverTheSeed()
    {
        using var first = Open("""{"train_count": 50, "test_count": 40}""");
        using var again = Open("""{"train_count": 60, "test_count": 40}""", runSeed: 5);
        using var other = Open("""{"train_count": 50, "test_count": 40, "generator_seed": 2}""");
        Assert.That(Same(first.TrainingBatch(Indices(0, 50)), again.TrainingBatch(Indices(0, 50))), Is.True);
        Assert.That(Same(first.TrainingBatch(Indices(0, 50)), other.TrainingBatch(Indices(0, 50))), Is.False);
        Assert.That(Same(Held(first, 40), Held(again, 40)), Is.True);
        Assert.That(Same(Held(first, 40), Held(other, 40)), Is.True);
        Assert.That(Same(first.TrainingBatch(Indices(0, 40)), Held(first, 40)), Is.False);
    }

    [Test]
    public void TrainingBatch_AnyNumbers_GivesTheseDigitsInThisOrder()
    {
        using var data = Open("""{"train_count": 20, "test_count": 1}""");
        using var all = (ImageBatch)data.TrainingBatch(Indices(0, 20));
        foreach (var numbers in new long[][] { [3], [4, 5, 6], [6, 5, 4], [0, 2], [19, 19] })
        {
            using var scope = NewDisposeScope();
            var batch = (ImageBatch)data.TrainingBatch(numbers);
            Assert.That(batch.Labels.data<long>().ToArray(), Is.EqualTo(numbers.Select(n => all.Labels[n].item<long>())));
            for (var i = 0; i < numbers.Length; i++)
                Assert.That(batch.Images[i].eq(all.Images[numbers[i]]).all().item<bool>(), Is.True, $"number {numbers[i]}");
        }
    }

    [TestCase("""{"train_cuont": 5}""", "'train_cuont'")]
    [TestCase("""{"train_count": 0}""", "'train_count' is 0")]
    [TestCase("""{"test_count": 1000001}""", "'test_count' is 1000001")]
    [TestCase("""{"split": "half"}""", "lecun1989, random, lists")]
    public void Open_WrongOption_IsNamed(string options, string expected) =>
        Assert.That(() => Open(options), Throws.TypeOf<ConfigException>().With.Message.Contains(expected));

    [TestCase("lists")]
    [TestCase("random")]
    public void Open_SplitOfGeneratedDigits_IsRefused(string split) =>
        Assert.That(() => Open($$"""{"split": "{{split}}"}"""), Throws.TypeOf<UserException>().With.Message.EqualTo(
            $"'split' is {split}, which chooses among the digits of a real set, and without --data they are generated. Name the data, or leave split out."));

    [Test]
    public void Open_NoSuchFolder_IsNamed() =>
        Assert.That(() => Open(data: "/no/such/folder"), Throws.TypeOf<BadFileException>().With.Message.Contains("/no/such/folder"));

    [Test]
    public void Open_SmallMnist_NeedsARandomSplit()
    {
        using var folder = new SmallMnist(trainCount: 30, testCount: 20);
        Refuses("{}", "Take split random");
        Refuses("""{"split": "lists"}""", "train-indices.txt");
        Refuses("""{"split": "random", "train_count": 31}""", "'train_count' is 31");

        using var random = Open("""{"split": "random", "split_seed": 3}""", folder.Path);
        using var again = Open("""{"split": "random", "split_seed": 3}""", folder.Path, runSeed: 9);
        using var other = Open("""{"split": "random", "split_seed": 4}""", folder.Path);
        Assert.That(random.TrainingCount, Is.EqualTo(30));
        Assert.That(Numbers(random, 30), Is.EquivalentTo(Enumerable.Range(0, 30)).And.Not.Ordered);
        Assert.That(Numbers(again, 30), Is.EqualTo(Numbers(random, 30)));
        Assert.That(Numbers(other, 30), Is.Not.EqualTo(Numbers(random, 30)));
        Assert.That(random.Description, Does.Contain("MNIST").And.Contain("seed 3").And.Contain("30 to train on, 20 held out"));

        void Refuses(string options, string sentence) =>
            Assert.That(() => Open(options, folder.Path), Throws.TypeOf<UserException>().With.Message.Contains(sentence));
    }

    [Test]
    public void Open_ListsBesideTheData_ComeFirstAndTheRestBehind()
    {
        using var folder = new SmallMnist(trainCount: 12, testCount: 5);
        File.WriteAllText(Path.Combine(folder.Path, "train-indices.txt"), "7\n2\n9\n");
        File.WriteAllText(Path.Combine(folder.Path, "test-indices.txt"), "4\n");
        using var listed = Open("""{"split": "lists"}""", folder.Path);
        Assert.That(Numbers(listed, 3), Is.EqualTo(new[] { 7, 2, 9 }));
        Assert.That(listed.TrainingCount, Is.EqualTo(3));
        Assert.That(listed.HeldOut[0].Count, Is.EqualTo(1));
        using var more = Open("""{"split": "lists", "train_count": 6}""", folder.Path);
        Assert.That(Numbers(more, 6), Is.EqualTo(new[] { 7, 2, 9, 0, 1, 3 }));
    }

    [Test]
    public void Open_Mnist_GivesTheDigitsOf1989()
    {
        var path = Repository.DataOrIgnore("mnist");
        using var data = Open(data: path);
        Assert.That(data.TrainingCount, Is.EqualTo(7291));
        Assert.That(data.HeldOut[0].Count, Is.EqualTo(2007));
        Assert.That(data.Description, Does.Contain("MNIST").And.Contain("1989 reproduction").And.Contain("7,291"));
        using var batch = (ImageBatch)data.TrainingBatch(Indices(0, 7291));
        var (training, _) = Zoo.Data.DigitData.Find(path).ReadMnist();
        using var scope = NewDisposeScope();
        foreach (var (place, number) in new[] { (0, 6177), (1, 36861), (2, 23675) })   // the list's first lines
        {
            Assert.That(batch.Labels[place].item<long>(), Is.EqualTo(training.Labels[number]));
            var image = PrepareOp.Apply(tensor(training.Image(number).ToArray()).view(1, 1, 28, 28));
            TensorAssert.Close(batch.Images[place], image[0], 1e-6, 0, $"digit {number}");
        }
        using var more = Open("""{"train_count": 8000}""", path);
        using var beginning = (ImageBatch)more.TrainingBatch(Indices(0, 7291));
        Assert.That(beginning.Images.eq(batch.Images).all().item<bool>(), Is.True, "more data begin with the list's");
        Assert.That(() => Open("""{"train_count": 60001}""", path), Throws.TypeOf<UserException>().With.Message.Contains("60000"));
    }

    [Test]
    public void Lists_OfThePlugin_AreDistinctDigitsOfMnist([Values("train-indices.txt", "test-indices.txt")] string name)
    {
        using var reader = new StreamReader(typeof(LeNetArchitecture).Assembly.GetManifestResourceStream(name)!);
        var numbers = reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse).ToList();
        Assert.That(numbers, Has.Count.EqualTo(name.StartsWith("train", StringComparison.Ordinal) ? 7291 : 2007).And.Unique);
        Assert.That(numbers, Is.All.InRange(0, name.StartsWith("train", StringComparison.Ordinal) ? 59_999 : 9_999));
    }

    [Test]
    public void Open_Usps_GivesItsDigitsWithBrightInk()
    {
        using var data = Open(data: Repository.DataOrIgnore("usps"));
        Assert.That(data.TrainingCount, Is.EqualTo(7291));
        Assert.That(data.HeldOut[0].Count, Is.EqualTo(2007));
        Assert.That(data.Description, Does.Contain("USPS"));
        using var scope = NewDisposeScope();
        using var batch = (ImageBatch)data.TrainingBatch(Indices(0, 7291));
        Assert.That((batch.Images.min().item<float>(), batch.Images.max().item<float>()), Is.EqualTo((-1f, 1f)));
        Assert.That(batch.Images[.., .., 0].mean().item<float>(), Is.LessThan(-0.5), "the upper edge is paper");
        // A one is a stroke from top to bottom: its columns differ more than its rows. A transposed image would have it lying.
        var ones = batch.Images[batch.Labels == 1].mean([0, 1]);
        Assert.That(ones.mean([0]).std().item<float>(), Is.GreaterThan(2 * ones.mean([1]).std().item<float>()));
    }

    [Test]
    public void Train_GeneratedDigits_LearnsWithinSeconds()
    {
        using var data = Open("""{"train_count": 1500, "test_count": 500}""");
        manual_seed(1);
        using var model = new LeNetModel(new LeNetConfig(), new BuildContext());
        var before = Error(model, data);
        model.train();
        var first = Pass(model, data);
        var second = Pass(model, data);
        Assert.That(second, Is.LessThan(0.75 * first), "mean loss of the second pass and of the first");
        Assert.That(before, Is.GreaterThan(75));
        Assert.That(Error(model, data), Is.LessThan(35), "percent wrong after 3,000 digits");
    }

    private static double Pass(LeNetModel model, TaskData data)
    {
        var sum = 0.0;
        for (long i = 0; i < data.TrainingCount; i++)
        {
            using var scope = NewDisposeScope();
            using var batch = data.TrainingBatch([i]);
            var output = model.Run(batch);
            model.zero_grad();
            output.Loss.backward();
            sum += output.Loss.item<float>();
            using var quiet = no_grad();
            foreach (var (_, parameter) in model.TrainableParameters())
                parameter.sub_(parameter.grad! * 0.03);
        }
        return sum / data.TrainingCount!.Value;
    }

    private static double Error(LeNetModel model, TaskData data)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        model.eval();
        var set = data.HeldOut[0];
        var metrics = data.NewMetrics(set);
        using var batch = data.HeldOutBatch(set, Indices(0, (int)set.Count));
        metrics.Add(batch, model.Run(batch));
        Assert.That(metrics.Result()[0].Name, Is.EqualTo("test_error_percent"));
        return metrics.Result()[0].Value;
    }

    private static TaskData Open(string options = "{}", string? data = null, int runSeed = 1) =>
        new DigitsTask().Open(new TaskRequest { Options = JsonNode.Parse(options)!.AsObject(), DataPath = data, Seed = runSeed });

    private static long[] Indices(int first, int count) => [.. Enumerable.Range(first, count).Select(i => (long)i)];

    private static Batch Held(TaskData data, int count) => data.HeldOutBatch(data.HeldOut[0], Indices(0, count));

    private static bool Same(Batch first, Batch second)
    {
        using var scope = NewDisposeScope();
        using var a = (ImageBatch)first;
        using var b = (ImageBatch)second;
        return a.Images.eq(b.Images).all().item<bool>() && a.Labels.eq(b.Labels).all().item<bool>();
    }

    /// <summary>Which numbers of a <see cref="SmallMnist"/> the training digits have: its pixels are as bright as the number.</summary>
    private static int[] Numbers(TaskData data, int count)
    {
        using var scope = NewDisposeScope();
        using var batch = (ImageBatch)data.TrainingBatch(Indices(0, count));
        return [.. ((batch.Images[.., 0, 8, 8] + 1) * 127.5).round().to(ScalarType.Int32).data<int>()];
    }
}
