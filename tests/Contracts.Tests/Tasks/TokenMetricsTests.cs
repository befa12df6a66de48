using Zoo.Architectures;
using Zoo.Reports;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.Tasks;

public sealed class TokenMetricsTests
{
    [Test]
    public void Result_SeveralAnswersASample_CountsPositionsAndWholeSamples()
    {
        using var scope = NewDisposeScope();
        var metrics = new TokenMetrics("test", chance: 0.25);
        // Three samples of 5 steps with 3, 2 and 1 answers; the second has one wrong.
        metrics.Add(Batch(3, 5, (1, 2), (2, 3), (4, 0), (7, 1), (9, 2), (14, 3)), Answers(2, 3, 0, 1, 0, 3));
        var result = metrics.Result().ToDictionary(m => m.Name, m => (m.Value, m.Count));
        Assert.That(result.Keys, Is.EqualTo((string[])["test_scaled_accuracy", "test_accuracy", "test_sequence_accuracy", "test_loss"]));
        Assert.That(result["test_accuracy"], Is.EqualTo((5 / 6.0, 6L)));
        Assert.That(result["test_sequence_accuracy"], Is.EqualTo((2 / 3.0, 3L)));
        Assert.That(result["test_scaled_accuracy"].Value, Is.EqualTo((5 / 6.0 - 0.25) / 0.75).Within(1e-15));
    }

    [Test]
    public void Result_SeveralBatches_WeighsEachByItsAnswers()
    {
        using var scope = NewDisposeScope();
        var metrics = new TokenMetrics("test");
        metrics.Add(Batch(1, 4, (3, 1)), Answers(0) with { Loss = tensor(4f) });
        metrics.Add(Batch(3, 4, (3, 1), (7, 2), (11, 3)), Answers(1, 2, 3) with { Loss = tensor(2f) });
        var result = metrics.Result().ToDictionary(m => m.Name, m => m.Value);
        Assert.That(result.Keys, Is.EqualTo((string[])["test_accuracy", "test_loss"]));   // one answer a sample, no chance level
        Assert.That((result["test_accuracy"], result["test_loss"]), Is.EqualTo((0.75, 2.5)));
    }

    [Test]
    public void Details_SamplesOfSeveralLengths_PlotTheAccuracyByLength()
    {
        using var scope = NewDisposeScope();
        var metrics = new TokenMetrics("test");
        metrics.Add(Batch(3, 9, (2, 1), (11, 1), (22, 1)), Answers(1, 0, 1));   // lengths 3, 3 and 5
        var plot = (PlotItem)metrics.Details().Single();
        Assert.That(plot.Curves[0].X, Is.EqualTo((double[])[3, 5]));
        Assert.That(plot.Curves[0].Y, Is.EqualTo((double[])[0.5, 1]));

        var same = new TokenMetrics("test");
        same.Add(Batch(2, 4, (3, 1), (7, 1)), Answers(1, 1));
        Assert.That(same.Details(), Is.Empty);
    }

    [Test]
    public void Add_AxesExchanged_IsRefused()
    {
        using var scope = NewDisposeScope();
        var metrics = new TokenMetrics("test");
        var batch = Batch(3, 2, (1, 1), (3, 1), (5, 1));
        Assert.That(() => metrics.Add(batch, new ModelOutput(zeros(4, 3), tensor(0f))), Throws.TypeOf<ShapeException>());
        Assert.That(() => metrics.Add(batch, new ModelOutput(zeros(3, 1, 4), tensor(0f))), Throws.TypeOf<ShapeException>());
    }

    [Test]
    public void LanguageModelMetrics_TwoBatches_AreMeansOverTokens()
    {
        using var scope = NewDisposeScope();
        var metrics = new LanguageModelMetrics("val", "char");
        metrics.Add(Batch(1, 2, (0, 1)), new ModelOutput(zeros(1, 4), tensor(2f)));
        metrics.Add(Batch(2, 2, (0, 1), (1, 1), (2, 1)), new ModelOutput(zeros(3, 4), tensor(1f)));
        Assert.That(metrics.Result(), Is.EqualTo(new Metric[]
        {
            new("val_loss", 1.25, 4), new("val_bits_per_char", 1.25 / Math.Log(2), 4), new("val_perplexity", Math.Exp(1.25), 4),
        }));
    }

    private static TokenBatch Batch(int rows, int time, params (long Position, long Target)[] scored) => new(
        zeros(rows, time, dtype: int64), tensor(scored.Select(s => s.Position).ToArray()), tensor(scored.Select(s => s.Target).ToArray()));

    /// <summary>Logits over four ids that name these.</summary>
    private static ModelOutput Answers(params long[] ids) => new(nn.functional.one_hot(tensor(ids), 4).to(float32), tensor(1f));
}
