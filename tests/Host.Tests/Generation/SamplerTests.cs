using Zoo.Host.Generation;

namespace Zoo.Tests.Generation;

/// <summary>Tokens are drawn as defined, held against the definition computed another way.</summary>
internal sealed class SamplerTests
{
    private static IEnumerable<SamplingOptions> EveryChoice =>
        from temperature in new[] { 0.5, 1, 1.7 }
        from topK in new int?[] { null, 1, 3, 50 }
        from topP in new[] { 0.05, 0.3, 0.75, 0.999, 1 }
        select new SamplingOptions { Temperature = temperature, TopK = topK, TopP = topP };

    [TestCaseSource(nameof(EveryChoice))]
    public void Candidates_RandomLogits_AreThoseOfTheDefinition(SamplingOptions options)
    {
        var random = new CounterRandom(5);
        for (var round = 0; round < 50; round++)
        {
            var logits = Enumerable.Range(0, 12).Select(_ => Math.Round(6 * random.NextDouble() - 3, round % 2)).ToArray();   // many are equal
            var (ids, probabilities) = new Sampler(options).Candidates(logits);
            var expected = Definition(logits, options);
            Assert.That(ids, Is.EquivalentTo(expected.Keys));
            for (var i = 0; i < ids.Length; i++)
                Assert.That(probabilities[i], Is.EqualTo(expected[ids[i]]).Within(1e-14));
            Assert.That(probabilities, Is.Ordered.Descending);
        }
    }

    [Test]
    public void Next_ManyDraws_FollowTheProbabilities()
    {
        double[] logits = [0.3, -1, 2, 0.3, double.NegativeInfinity, 1.1];
        var sampler = new Sampler(new SamplingOptions { Temperature = 0.9 });
        var (ids, probabilities) = sampler.Candidates(logits);
        var random = new CounterRandom(11);
        const int draws = 200_000;
        var counts = new int[logits.Length];
        for (var i = 0; i < draws; i++)
            counts[sampler.Next(logits, random)]++;

        Assert.That(counts[4], Is.Zero, "an impossible token");
        var chiSquare = ids.Zip(probabilities).Where(p => p.Second > 0)
            .Sum(p => Math.Pow(counts[p.First] - draws * p.Second, 2) / (draws * p.Second));
        Assert.That(chiSquare, Is.LessThan(13.28), "the 99 % point for four degrees of freedom");
    }

    [Test]
    public void Next_TemperatureZero_TakesTheFirstOfTheLargest() =>
        Assert.That(new Sampler(new SamplingOptions { Temperature = 0 }).Next([1, 4, 2, 4], new CounterRandom(1)), Is.EqualTo(1));

    [Test]
    public void Next_EqualLogits_KeepsTheLowerIds()
    {
        var sampler = new Sampler(new SamplingOptions { TopK = 2 });
        Assert.That(sampler.Candidates([1, 3, 1, 3, 3]).Ids, Is.EqualTo([1, 3]));
    }

    [Test]
    public void Candidates_TinyTemperature_DoesNotOverflow()
    {
        var (ids, probabilities) = new Sampler(new SamplingOptions { Temperature = 1e-300 }).Candidates([1e30, 2e30, -1e30]);
        Assert.That((ids[0], probabilities[0]), Is.EqualTo((1, 1.0)));
    }

    [TestCase(double.NaN, "the logit of token 1 is not a number")]
    [TestCase(double.PositiveInfinity, "the logit of token 1 is infinite")]
    public void Next_LogitsThatAreNoNumbers_SaysWhich(double logit, string expected) =>
        Assert.That(() => new Sampler(new SamplingOptions()).Next([0, logit], new CounterRandom(1)), Throws.ArgumentException.With.Message.EqualTo(expected));

    /// <summary>Softmax of everything; then the k-th largest and, of what is left, the least set from the top that reaches p.</summary>
    private static Dictionary<int, double> Definition(double[] logits, SamplingOptions options)
    {
        var order = Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i]).ThenBy(i => i).Take(options.TopK ?? int.MaxValue).ToList();
        var softmax = Normalised(order.ToDictionary(i => i, i => Math.Exp(logits[i] / options.Temperature)));
        var kept = Enumerable.Range(1, order.Count).First(n => n == order.Count || order.Take(n).Sum(i => softmax[i]) >= options.TopP);
        return Normalised(order.Take(kept).ToDictionary(i => i, i => softmax[i]));
    }

    private static Dictionary<int, double> Normalised(Dictionary<int, double> weights) =>
        weights.ToDictionary(w => w.Key, w => w.Value / weights.Values.Sum());
}
