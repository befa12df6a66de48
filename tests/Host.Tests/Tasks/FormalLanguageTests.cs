using Zoo.Configuration;
using static Zoo.Tests.Tasks.TokenTasks;

namespace Zoo.Tests.Tasks;

/// <summary>Every formal language, against an oracle written from the language's definition.</summary>
public sealed class FormalLanguageTests
{
    private const string Many = "test_count=4000 ";

    /// <summary>Task, options, the ids that answer, and the oracle.</summary>
    private static readonly (string Task, string Options, int FirstAnswer, int AnswerCount, Func<long[], int, long> Oracle)[] Languages =
    [
        ("parity", "", 1, 2, (ids, _) => ids.Count(id => id == 2) % 2 == 1 ? 2 : 1),
        ("even-pairs", "", 1, 2, (ids, _) => ids.Zip(ids.Skip(1)).Count(pair => pair.First != pair.Second) % 2 == 0 ? 1 : 2),
        ("cycle-navigation", "", 4, 5, (ids, _) => Navigate(ids, 5)),
        ("cycle-navigation", "places=7", 4, 7, (ids, _) => Navigate(ids, 7)),
        ("modular-arithmetic", "", 5, 5, (ids, _) => 5 + new Calculator(ids, 5).Value()),
        ("modular-arithmetic", "multiply=false modulus=7", 5, 7, (ids, _) => 5 + new Calculator(ids, 7).Value()),
        ("modular-arithmetic", "brackets=true", 5, 5, (ids, _) => 5 + new Calculator(ids, 5).Value()),
        ("modular-arithmetic", "brackets=true multiply=false", 5, 5, (ids, _) => 5 + new Calculator(ids, 5).Value()),
        ("majority", "", 1, 63, (ids, _) => ids.GroupBy(id => id).MaxBy(group => group.Count())!.Key),
        ("majority", "symbols=4", 1, 4, (ids, _) => ids.GroupBy(id => id).MaxBy(group => group.Count())!.Key),
        ("bucket-sort", "test_count=1000", 1, 10, (ids, position) => ids[..(ids.Length / 2)].Order().ElementAt(position - ids.Length / 2)),
        ("bucket-sort", "test_count=1000 symbols=5", 1, 5, (ids, position) => ids[..(ids.Length / 2)].Order().ElementAt(position - ids.Length / 2)),
    ];

    private static IEnumerable<TestCaseData> EveryLanguageAndSet =>
        from language in Languages
        from set in new[] { "val", "test" }
        select new TestCaseData(language, set).SetArgDisplayNames($"{language.Task} {language.Options}", set);

    private static IEnumerable<TestCaseData> EveryLanguage =>
        Languages.Select(l => new TestCaseData(l).SetArgDisplayNames($"{l.Task} {l.Options}"));

    [TestCaseSource(nameof(EveryLanguageAndSet))]
    public void ScaledAccuracy_OfTheOracle_IsOne(object language, string set)
    {
        var (task, options, _, _, oracle) = ((string, string, int, int, Func<long[], int, long>))language;
        using var data = Open(task, options);
        var metrics = Score(data, set, oracle);
        Assert.That(metrics[$"{set}_scaled_accuracy"], Is.EqualTo(1));
        Assert.That(metrics[$"{set}_accuracy"], Is.EqualTo(1));
    }

    /// <remarks>
    /// The answers that occur most and least among 4,000 samples; every other one lies between. Measured: -0.0230 to 0.0230 (parity, whose
    /// standard deviation is 0.016). With brackets and multiplication the chance level is that of the best answer, 0, and the rarest one scores
    /// (0.1736 - 0.3056) / (1 - 0.3056) = -0.190 (measured: -0.201).
    /// </remarks>
    [TestCaseSource(nameof(EveryLanguageAndSet))]
    public void ScaledAccuracy_OfAConstantAnswer_IsAboutZero(object language, string set)
    {
        var (task, options, first, count, _) = ((string, string, int, int, Func<long[], int, long>))language;
        using var data = Open(task, Many + options);
        var occurrences = HeldOutSamples(data, set, (int)data.HeldOut[0].Count).SelectMany(s => s.Answers.Values)
            .Concat(Enumerable.Range(first, count).Select(id => (long)id)).CountBy(id => id).OrderBy(c => c.Value).ToList();
        var (least, most) = (Constant(occurrences[0].Key), Constant(occurrences[^1].Key));
        TestContext.Out.WriteLine($"{least:0.0000} to {most:0.0000}");
        Assert.That(most, Is.InRange(-0.04, 0.04));
        Assert.That(least, Is.GreaterThan(task == "modular-arithmetic" && options == "brackets=true" ? -0.23 : -0.04));

        double Constant(long id) => Score(data, set, (_, _) => id)[$"{set}_scaled_accuracy"];
    }

    [TestCaseSource(nameof(EveryLanguage))]
    public void Samples_TrainedAndTested_HaveEveryLengthAndNoPlaceBeyondTheEndCounts(object language)
    {
        var (task, options, first, count, _) = ((string, string, int, int, Func<long[], int, long>))language;
        using var data = Open(task, Many + options);
        using var batch = (Zoo.Tasks.TokenBatch)data.TrainingBatch([.. Enumerable.Range(0, 2000).Select(i => (long)i)]);
        Assert.That(batch.Ids.shape, Is.EqualTo((long[])[2000, data.Shape.Length!.Value]));
        var samples = Samples(batch);
        var rows = batch.Ids.data<long>().ToArray().Chunk((int)batch.Ids.shape[1]).ToList();
        Assert.That(rows.Zip(samples).All(pair => pair.First[pair.Second.Ids.Length..].All(id => id == 0)), "zeros after the end");
        Assert.That(samples.All(s => s.Ids.All(id => id >= 0 && id < data.Shape.VocabSize)), "ids are in the vocabulary");
        Assert.That(samples.SelectMany(s => s.Answers.Values).All(id => id >= first && id < first + count), "answers are answers");

        Func<int, int> steps = task switch
        {
            "bucket-sort" => length => 2 * length,
            "modular-arithmetic" => length => 1 + (options.Contains("brackets") ? length : length - 1 + length % 2),
            _ => length => length,
        };
        Assert.That(samples.Select(s => s.Ids.Length).Distinct().Order(), Is.EqualTo(Enumerable.Range(3, 38).Select(steps).Distinct().Order()));
        // 4,000 draws of 216 lengths leave none out (one in 500,000 such sets does); 1,000 do.
        var tested = Enumerable.Range(41, 216).Select(steps).Distinct().ToList();
        Assert.That(
            HeldOutSamples(data, "test", (int)data.HeldOut[0].Count).Select(s => s.Ids.Length).Distinct(),
            data.HeldOut[0].Count < 4000 ? Is.SubsetOf(tested) : Is.EquivalentTo(tested));
        Assert.That(data.HeldOut.Select(s => (s.Name, s.DuringTraining)), Is.EqualTo(new[] { ("val", true), ("test", false) }));
        Assert.That(data.Shape.MaximumLength, Is.EqualTo(data.HeldOut[1].Length));
    }

    [TestCase("parity", 3), TestCase("even-pairs", 3), TestCase("cycle-navigation", 9), TestCase("modular-arithmetic", 10),
        TestCase("majority", 64), TestCase("bucket-sort", 11)]
    public void VocabSize_ByDefault_IsThePapers(string task, int size)
    {
        using var data = Open(task);
        Assert.That(data.Shape.VocabSize, Is.EqualTo(size));   // Beck et al. 2024, appendix D
    }

    [Test]
    public void ModularArithmetic_Brackets_HasThePapersVocabularyAndJustTheLengthWanted()
    {
        using var data = Open("modular-arithmetic", "brackets=true length=9 min_length=9 test_length=10");
        Assert.That(data.Shape.VocabSize, Is.EqualTo(12));
        Assert.That(TrainingSamples(data, 200).All(s => s.Ids.Length == 10));
        Assert.That(HeldOutSamples(data, "test", 200).All(s => s.Ids.Length == 11));
    }

    [TestCase("parity", "length=0", "'length' is 0"), TestCase("parity", "min_length=41", "'min_length' is 41"),
        TestCase("parity", "test_length=40", "'test_length' is 40"), TestCase("cycle-navigation", "places=1", "'places' is 1"),
        TestCase("majority", "symbols=1", "'symbols' is 1"), TestCase("bucket-sort", "symbols=70000", "'symbols' is 70000"),
        TestCase("modular-arithmetic", "modulus=11", "'modulus' is 11"), TestCase("parity", "test_count=0", "'test_count' is 0"),
        TestCase("modular-arithmetic", "brackets=true test_length=10001", "'test_length' makes expressions of 10001"),
        TestCase("modular-arithmetic", "brackets=true length=6000", "'length' makes expressions of 12000"),
        TestCase("parity", "train_count=-1", "'train_count' is -1"), TestCase("parity", "brackets=true", "'brackets' is no key")]
    public void Open_WrongOption_IsRefused(string task, string options, string message) =>
        Assert.That(() => Open(task, options), Throws.TypeOf<ConfigException>().With.Message.Contains(message));

    [Test]
    public void ModularArithmetic_DeepestNesting_Writes()
    {
        using var data = Open("modular-arithmetic", "brackets=true test_length=10000 test_count=20");
        Assert.That(HeldOutSamples(data, "test", 20), Has.Count.EqualTo(20));
    }

    private static long Navigate(long[] ids, int places) =>
        4 + ((ids.Count(id => id == 2) - ids.Count(id => id == 3)) % places + places) % places;

    /// <summary>Recursive descent over + - * with their usual precedence, brackets, and signs.</summary>
    private sealed class Calculator(long[] ids, int modulus)
    {
        private int _at;

        public int Value()
        {
            var value = Sum();
            Assert.That((_at, ids[_at]), Is.EqualTo((ids.Length - 1, 4L)), "the '=' is the last");
            return value;
        }

        private int Sum()
        {
            var value = Product();
            while (ids[_at] is 1 or 2)
                value += ids[_at++] == 1 ? Product() : -Product();
            return (value % modulus + modulus) % modulus;
        }

        private int Product()
        {
            var value = Factor();
            while (ids[_at] == 3)
            {
                _at++;
                value = value * Factor() % modulus;
            }
            return value;
        }

        private int Factor()
        {
            var id = ids[_at++];
            if (id == 2)
                return -Factor();
            if (id >= 5 && id < 5 + modulus)
                return (int)id - 5;
            Assert.That(id, Is.EqualTo(5 + modulus), "a number or an opening bracket");
            var value = Sum();
            Assert.That(ids[_at++], Is.EqualTo(6 + modulus), "a closing bracket");
            return value;
        }
    }
}
