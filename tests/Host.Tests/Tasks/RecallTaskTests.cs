using Zoo.Configuration;
using Zoo.Tasks;
using static Zoo.Tests.Tasks.TokenTasks;

namespace Zoo.Tests.Tasks;

/// <summary>The tasks selective-copy, induction-heads, mqar and listops, against oracles and their generators' distributions.</summary>
public sealed class RecallTaskTests
{
    /// <summary>Sizes that all differ, so that an exchange of axes cannot go unseen.</summary>
    private const string Copy = "length=37 tokens=5 vocab_size=12";

    [Test]
    public void SelectiveCopy_OfTheOracle_IsAllRight()
    {
        using var data = Open("selective-copy", Copy);
        var metrics = Score(data, "test", (ids, position) => ids[..42].Where(id => id != 0).ElementAt(position - 42));
        Assert.That(metrics.Keys, Is.EqualTo((string[])["test_accuracy", "test_sequence_accuracy", "test_loss"]));
        Assert.That((metrics["test_accuracy"], metrics["test_sequence_accuracy"]), Is.EqualTo((1.0, 1.0)));
        Assert.That(Score(data, "test", (_, _) => 3)["test_accuracy"], Is.EqualTo(0.1).Within(0.02));   // 2,560 answers of ten tokens; 0.0098 measured
    }

    [Test]
    public void SelectiveCopy_AnySample_HasSFoursLayout()
    {
        using var data = Open("selective-copy", Copy);
        Assert.That((data.Shape.VocabSize, data.Shape.Length), Is.EqualTo((12, 47)));
        foreach (var sample in TrainingSamples(data, 500))
        {
            Assert.That(sample.Ids, Has.Length.EqualTo(47));
            Assert.That(sample.Ids[..42].Count(id => id is >= 1 and <= 10), Is.EqualTo(5), sample.ToString());
            Assert.That(sample.Ids[..42].Count(id => id == 0), Is.EqualTo(37), sample.ToString());
            Assert.That(sample.Ids[42..], Is.All.EqualTo(11));
            Assert.That(sample.Answers.Keys.Order(), Is.EqualTo(Enumerable.Range(42, 5)));
        }
    }

    [Test]
    public void SelectiveCopy_Places_AreEvenlyChosen()
    {
        using var data = Open("selective-copy", "length=7 tokens=3 vocab_size=12");
        // 120 choices of 3 places of 10, 12,000 samples: 100 each on average. The sum of squared deviations over 100 is chi-square with 119
        // degrees: mean 119, standard deviation 15.4.
        var choices = TrainingSamples(data, 12_000)
            .GroupBy(s => string.Join(' ', Enumerable.Range(0, 10).Where(place => s.Ids[place] != 0))).Select(g => g.Count()).ToList();
        Assert.That(choices, Has.Count.EqualTo(120));
        Assert.That(choices.Sum(n => (n - 100.0) * (n - 100) / 100), Is.InRange(119 - 4 * 15.4, 119 + 4 * 15.4));
    }

    [Test]
    public void InductionHeads_OfTheOracle_IsAllRightAtEveryLength()
    {
        using var data = Open("induction-heads", "length=32 vocab_size=9 test_count=100");
        Assert.That(data.HeldOut.Select(s => (s.Name, s.Length, s.Count, s.DuringTraining)), Is.EqualTo(new (string, int?, long, bool)[]
        {
            ("test_8", 8, 100, true), ("test_16", 16, 100, true), ("test_32", 32, 100, true), ("test_64", 64, 64, false),
            ("test_128", 128, 64, false), ("test_256", 256, 64, false), ("test_512", 512, 64, false),
        }));
        Assert.That((data.Shape.Length, data.Shape.MaximumLength), Is.EqualTo((32, 512)));
        foreach (var set in data.HeldOut)
        {
            var metrics = Score(data, set.Name, (ids, _) => ids[Array.IndexOf(ids, 8L) + 1]);
            Assert.That(metrics[$"{set.Name}_accuracy"], Is.EqualTo(1), set.Name);
            Assert.That(metrics.Keys, Is.EqualTo((string[])[$"{set.Name}_accuracy", $"{set.Name}_loss"]));
        }
    }

    [TestCase("length=256", "64 128 256 512 1024 2048 4096"), TestCase("length=3", "3 4 8 16 32"), TestCase("length=100", "32 64 100 128 256 512 1024"),
        TestCase("test_lengths=[9,5]", "5 9")]
    public void InductionHeads_TestLengths_ArePowersOfTwoUnlessSet(string options, string lengths)
    {
        using var data = Open("induction-heads", options);
        Assert.That(string.Join(' ', data.HeldOut.Select(s => s.Length)), Is.EqualTo(lengths));
    }

    [Test]
    public void InductionHeads_Marker_StandsTwiceAndAnywhere()
    {
        using var data = Open("induction-heads", "length=10 vocab_size=6");
        var samples = TrainingSamples(data, 2000);
        Assert.That(samples.All(s => s.Ids.Count(id => id == 5) == 2 && s.Ids[^1] == 5 && s.Answers.Single() is { Key: 9, Value: < 5 }));
        Assert.That(samples.Select(s => Array.IndexOf(s.Ids, 5L)).Distinct().Order(), Is.EqualTo(Enumerable.Range(0, 8)));
    }

    [Test]
    public void InductionHeads_LeastLength_TrainsOnEveryLengthAndTestsOnTheOnesAsked()
    {
        using var data = Open("induction-heads", "length=10 min_length=4 vocab_size=6 test_lengths=[10]");
        var samples = TrainingSamples(data, 2000);
        Assert.That(samples.Select(s => s.Answers.Single().Key + 1).Distinct().Order(), Is.EqualTo(Enumerable.Range(4, 7)));
        Assert.That(samples.All(s => s.Ids.Count(id => id == 5) == 2 && s.Ids[^1] == 5));
        Assert.That(samples.All(s => s.Answers.Single().Value == s.Ids[Array.IndexOf(s.Ids, 5L) + 1]));
        Assert.That(data.HeldOut.Single().Length, Is.EqualTo(10));
    }

    [TestCase("length=34 num_kv_pairs=5 vocab_size=50"), TestCase("length=20 num_kv_pairs=5 vocab_size=12"),
        TestCase("length=64 num_kv_pairs=4 vocab_size=8192"), TestCase("length=34 num_kv_pairs=5 vocab_size=50 random_non_queries=true")]
    public void Mqar_OfTheOracle_IsAllRight(string options)
    {
        using var data = Open("mqar", options);
        var pairs = options.Contains("pairs=5") ? 5 : 4;
        var metrics = Score(data, "test", (ids, position) => ids[Array.IndexOf(ids[..(2 * pairs)], ids[position]) + 1]);
        Assert.That((metrics["test_accuracy"], metrics["test_sequence_accuracy"]), Is.EqualTo((1.0, 1.0)));
    }

    [Test]
    public void Mqar_AnySample_HasZoologysLayout()
    {
        using var data = Open("mqar", "length=34 num_kv_pairs=5 vocab_size=51");
        foreach (var sample in TrainingSamples(data, 500))
        {
            var ids = sample.Ids.Concat(Enumerable.Repeat(0L, 34)).Take(34).ToArray();
            var keys = Enumerable.Range(0, 5).Select(i => ids[2 * i]).ToList();
            var values = Enumerable.Range(0, 5).Select(i => ids[2 * i + 1]).ToList();
            Assert.That(keys.Distinct().Count(), Is.EqualTo(5));
            Assert.That(values.Distinct().Count(), Is.EqualTo(5));
            Assert.That(keys, Is.All.InRange(1, 24));     // half of 51 is 25: keys are 1 to 24
            Assert.That(values, Is.All.InRange(25, 50));
            var queries = Enumerable.Range(10, 24).Where(t => ids[t] != 0).ToList();
            Assert.That(queries.All(t => t % 2 == 0), sample.ToString());
            Assert.That(queries, Is.EqualTo(sample.Answers.Keys.Order()));
            Assert.That(queries.Select(t => ids[t]).Order(), Is.EqualTo(keys.Order()));
        }
    }

    [TestCase(0.01), TestCase(1.0)]
    public void Mqar_Queries_FollowThePowerLaw(double powerA)
    {
        using var data = Open("mqar", $"length=22 num_kv_pairs=1 vocab_size=32 power_a={powerA}");
        const int count = 20_000, places = 10;
        var seen = TrainingSamples(data, count).CountBy(s => (s.Answers.Keys.Single() - 2) / 2).ToDictionary();
        var law = Enumerable.Range(1, places).Select(i => Math.Pow(i, powerA - 1)).ToArray();
        for (var i = 0; i < places; i++)
        {
            var p = law[i] / law.Sum();
            Assert.That(seen[i] / (double)count, Is.EqualTo(p).Within(4 * Math.Sqrt(p * (1 - p) / count)), $"place {i}");
        }
    }

    [Test]
    public void Mqar_RandomNonQueries_FillEveryPlaceWithSomething()
    {
        using var data = Open("mqar", "length=34 num_kv_pairs=5 vocab_size=50 random_non_queries=true");
        using var batch = (TokenBatch)data.TrainingBatch([.. Enumerable.Range(0, 500).Select(i => (long)i)]);
        var ids = batch.Ids.data<long>().ToArray();
        Assert.That(ids.Count(id => id == 0) / (double)ids.Length, Is.EqualTo(19 / 34.0 / 50).Within(0.003));   // 19 places of 34 are filled; 0.0005 measured
        Assert.That(ids.Distinct().Count(), Is.EqualTo(50));
    }

    [TestCase("length=60 min_length=7"), TestCase("length=200 min_length=100 max_depth=6")]
    public void ListOps_OfAnEvaluatorOfThePrintedExpression_IsAllRight(string options)
    {
        using var data = Open("listops", options);
        var metrics = Score(data, "test", (ids, _) => Evaluate(ids.Select(Print)));
        Assert.That(metrics["test_accuracy"], Is.EqualTo(1));
    }

    [Test]
    public void ListOps_AnySample_KeepsItsLimits()
    {
        using var data = Open("listops", "length=60 min_length=7 max_depth=3 max_args=4");
        Assert.That((data.Shape.VocabSize, data.Shape.Length), Is.EqualTo((16, 60)));
        var samples = TrainingSamples(data, 3000);
        Assert.That(samples.Select(s => s.Ids.Length), Is.All.InRange(7, 60));
        var (deepest, most, least) = (0, 0, int.MaxValue);
        foreach (var sample in samples)
        {
            var open = new Stack<int>();
            foreach (var id in sample.Ids)
            {
                if (id == 14)
                {
                    var arguments = open.Pop();
                    (most, least) = (Math.Max(most, arguments), Math.Min(least, arguments));
                    if (open.Count > 0)
                        open.Push(open.Pop() + 1);
                }
                else if (id >= 10)
                {
                    open.Push(0);
                    deepest = Math.Max(deepest, open.Count);
                }
                else
                {
                    open.Push(open.Pop() + 1);
                }
            }
            Assert.That(open, Is.Empty);
        }
        Assert.That((deepest, least, most), Is.EqualTo((2, 2, 4)));   // at depth 3 there are digits only
    }

    [Test]
    public void ListOps_LongRangeArena_Generates()
    {
        using var data = Open("listops", "length=1999 min_length=501 max_depth=10 max_args=10");
        Assert.That(TrainingSamples(data, 50).Select(s => s.Ids.Length), Is.All.InRange(501, 1999));
    }

    [TestCase("max_depth=1"), TestCase("min_length=100 max_depth=2"), TestCase("length=1000 min_length=900 max_depth=4")]
    public void ListOps_NoSuchExpressions_IsRefusedWithASentence(string options) =>
        Assert.That(() => Open("listops", options), Throws.TypeOf<UserException>().With.Message.Contains("lower 'min_length'"));

    [TestCase("selective-copy", Copy), TestCase("induction-heads", "length=64"), TestCase("mqar", ""), TestCase("listops", "min_length=40"),
        TestCase("parity", "min_length=39 test_length=80"), TestCase("majority", "min_length=39 test_length=80")]
    public void HeldOut_Samples_AreNeverTrainedOnAndDoNotDependOnTheSeed(string task, string options)
    {
        using var data = Open(task, options);
        using var other = Open(task, options, seed: 2);
        var training = TrainingSamples(data, 5000).Select(s => s.ToString()).ToHashSet();
        Assert.That(training, Has.Count.EqualTo(5000), "samples differ from each other");
        Assert.That(TrainingSamples(other, 5000).Select(s => s.ToString()).Where(training.Contains), Is.Empty, "another seed has other samples");
        foreach (var set in data.HeldOut)
        {
            var heldOut = HeldOutSamples(data, set.Name, (int)set.Count).Select(s => s.ToString()).ToList();
            Assert.That(heldOut.Where(training.Contains), Is.Empty, set.Name);
            Assert.That(HeldOutSamples(other, set.Name, (int)set.Count).Select(s => s.ToString()), Is.EqualTo(heldOut), set.Name);
        }
    }

    [Test]
    public void TrainCount_Set_EndsTheTrainingSamples()
    {
        using var data = Open("mqar", "train_count=100");
        Assert.That(data.TrainingCount, Is.EqualTo(100));
        Assert.That(data.Description, Does.StartWith("generated (version 1, seed 1): 100 samples of length 64 to train on"));
        Assert.That(() => data.TrainingBatch([100]), Throws.TypeOf<ArgumentOutOfRangeException>());
        using var endless = Open("mqar");
        Assert.That(endless.TrainingCount, Is.Null);
    }

    [TestCase("selective-copy", "tokens=0", "'tokens' is 0"), TestCase("selective-copy", "vocab_size=2", "'vocab_size' is 2"),
        TestCase("selective-copy", "test_lengths=[5,5]", "'test_lengths' is [5, 5]"), TestCase("induction-heads", "length=2", "'length' is 2"),
        TestCase("induction-heads", "test_lengths=[]", "'test_lengths' is []"), TestCase("induction-heads", "test_lengths=[2]", "'test_lengths' has 2"),
        TestCase("induction-heads", "length=8 min_length=9", "'min_length' is 9"), TestCase("induction-heads", "min_length=2", "'min_length' is 2"),
        TestCase("mqar", "length=63", "'length' has 63"), TestCase("mqar", "length=14", "'length' is 14"),
        TestCase("mqar", "vocab_size=9", "'vocab_size' 9 has 3 keys"), TestCase("mqar", "power_a=0", "'power_a' is 0"),
        TestCase("mqar", "test_lengths=[99]", "'test_lengths' has 99"), TestCase("mqar", "num_kv_pairs=0", "'num_kv_pairs' is 0"),
        TestCase("listops", "max_args=1", "'max_args' is 1"), TestCase("listops", "min_length=200", "'min_length' is 200"),
        TestCase("selective-copy", "tokens=many", "'tokens' is \"many\"; it must be a whole number")]
    public void Open_WrongOption_IsRefused(string task, string options, string message) =>
        Assert.That(() => Open(task, options), Throws.TypeOf<ConfigException>().With.Message.Contains(message));

    [Test]
    public void Open_DataForAGeneratedTask_IsRefused() => Assert.That(
        () => new Zoo.Host.Tasks.ParityTask().Open(new TaskRequest { DataPath = "numbers.txt" }),
        Throws.TypeOf<UserException>().With.Message.EqualTo("The task parity generates its examples and reads none. Leave out --data."));

    [Test]
    public void TrainingBatch_TooLarge_IsRefusedWithASentence()
    {
        using var data = Open("selective-copy", "length=1048576");
        Assert.That(() => data.TrainingBatch(new long[2048]), Throws.TypeOf<UserException>().With.Message.Contains("lower --batch-size or --length"));
    }

    private static string Print(long id) => id < 10 ? $"{id}" : ((string[])["[MIN", "[MAX", "[MED", "[SM", "]"])[id - 10];

    /// <summary>The value of an expression as it is printed.</summary>
    private static long Evaluate(IEnumerable<string> symbols)
    {
        var open = new Stack<(string Operator, List<long> Arguments)>();
        open.Push(("", []));
        foreach (var symbol in symbols)
        {
            if (symbol.StartsWith('['))
            {
                open.Push((symbol[1..], []));
                continue;
            }
            var value = symbol != "]" ? long.Parse(symbol) : Apply(open.Pop());
            open.Peek().Arguments.Add(value);
        }
        return open.Single().Arguments.Single();

        static long Apply((string Operator, List<long> Arguments) list)
        {
            var sorted = list.Arguments.Order().ToList();
            return list.Operator switch
            {
                "MIN" => sorted[0],
                "MAX" => sorted[^1],
                "SM" => sorted.Sum() % 10,
                "MED" when sorted.Count % 2 == 1 => sorted[sorted.Count / 2],
                "MED" => (long)Math.Truncate((sorted[sorted.Count / 2 - 1] + sorted[sorted.Count / 2]) / 2.0),
                _ => throw new FormatException(list.Operator),
            };
        }
    }
}
