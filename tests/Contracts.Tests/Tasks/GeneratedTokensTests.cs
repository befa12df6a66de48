using Zoo.Architectures;
using Zoo.Tasks;

namespace Zoo.Tests.Tasks;

public sealed class GeneratedTokensTests
{
    private static readonly TaskInfo Info = new("counting", "Counts down", ModelKind.TokenModel) { Skill = "none", Example = "", Chance = "none" };

    [Test]
    public void TrainingBatch_AnyOrderOrSize_GivesTheSameRows()
    {
        using var data = NewData();
        var one = Enumerable.Range(0, 40).Select(i => Rows(data.TrainingBatch([i])).Single()).ToList();
        Assert.That(Rows(data.TrainingBatch([.. Enumerable.Range(0, 40).Reverse().Select(i => (long)i)])), Is.EqualTo(one.AsEnumerable().Reverse()));
        Assert.That(one.Distinct().Count(), Is.GreaterThan(30));
        using var other = NewData(seed: 2);
        Assert.That(Rows(other.TrainingBatch([0, 1, 2, 3])), Is.Not.EqualTo(one.Take(4)));
    }

    [Test]
    public void Shape_SetsOfSeveralLengths_IsTheTrainingOneAndTheLongest()
    {
        using var data = NewData();
        Assert.That(data.Shape, Is.EqualTo(new TaskShape(ModelKind.TokenModel) { VocabSize = 10, Length = 7, MaximumLength = 13 }));
        Assert.That(data.HeldOut.Single(), Is.EqualTo(new HeldOutSet("test", 5) { Length = 13 }));
        Assert.That(data.Description, Is.EqualTo(
            "generated (version 1, seed 1): endless samples of lengths 2 to 6 to train on, held out: test with 5 samples of length 12"));
    }

    [Test]
    public void Describe_ARow_ShowsTokensAndAnswersWithoutPadding()
    {
        using var data = NewData();
        using var batch = (TokenBatch)data.TrainingBatch([3, 4]);
        var ids = batch.Ids.data<long>().ToArray()[..7];
        var length = Array.IndexOf(ids, 9L);
        Assert.That(data.Describe(batch, 0), Is.EqualTo($"<{ids[0]}> {string.Join(' ', ids[1..length].Select(id => $"<{id}>"))} <9>→<{ids[0]}>"));
    }

    [Test]
    public void HeldOutBatch_NoSuchSample_Throws()
    {
        using var data = NewData();
        Assert.That(() => data.HeldOutBatch(data.HeldOut[0], [5]), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => data.TrainingBatch([-1]), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void TokenRow_MoreThanItsPlaces_Throws()
    {
        var row = new TokenRow(width: 2, padding: 0);
        row.Add(1);
        Assert.That(() => row.Score(1, 5), Throws.TypeOf<ArgumentOutOfRangeException>(), "a place that is not written");
        Assert.That(() => row.Append(2), Throws.InvalidOperationException);
        row.Add(2);
        Assert.That(() => row.Add(3), Throws.InvalidOperationException);
        row.Clear();
        Assert.That(row.Length, Is.Zero);
    }

    [Test]
    public void SampleRandom_SeedsOfTrainingAndHeldOutSets_NeverMeet()
    {
        foreach (var seed in new[] { 0, 1, -1, int.MaxValue, int.MinValue })
            Assert.That(SampleRandom.TrainingSeed(seed), Is.LessThan(1UL << 32));
        Assert.That(SampleRandom.HeldOutSeed("test"), Is.GreaterThanOrEqualTo(1UL << 32));
        Assert.That(SampleRandom.HeldOutSeed("val"), Is.Not.EqualTo(SampleRandom.HeldOutSeed("test")));
    }

    [Test]
    public void SampleRandom_Numbers_AreTheSameForever()
    {
        // Recorded from version 1. Another number here changes every generated sample: then raise the tasks' versions.
        var random = new SampleRandom(SampleRandom.Stream("parity", 1), seed: 1, index: 2);
        Assert.That((random.Next(), random.Next(), random.Below(1000)), Is.EqualTo((14201852669739555951, 8733694411943532004, 346)));
    }

    private static GeneratedTokens NewData(int seed = 1) => new(
        new Generator(), Info, seed, new GeneratedSet("train", 2, 6, null), [new GeneratedSet("test", 12, 12, 5)], new());

    private static List<string> Rows(Batch batch)
    {
        using (batch)
        {
            var tokens = (TokenBatch)batch;
            var width = (int)tokens.Ids.shape[1];
            var targets = tokens.Targets.data<long>().ToArray();
            var places = tokens.ScoredPositions.data<long>().ToArray();
            return [.. tokens.Ids.data<long>().ToArray().Chunk(width).Select((row, i) => $"{string.Join(' ', row)}: {places[i] % width} {targets[i]}")];
        }
    }

    /// <summary>Random digits below 9, then a 9 at which the first one is to be named.</summary>
    private sealed class Generator : TokenGenerator
    {
        public override int VocabSize => 10;

        public override int TimeSteps(int length) => length + 1;

        public override void Write(TokenRow row, int length, ref SampleRandom random)
        {
            for (var t = 0; t < length; t++)
                row.Add(1 + random.Below(8));
            row.Add(9);
            row.Score(row.Ids[0]);
        }

        public override string Symbol(long id) => $"<{id}>";
    }
}
