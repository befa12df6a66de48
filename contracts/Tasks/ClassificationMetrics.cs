using TorchSharp;
using Zoo.Architectures;
using Zoo.Reports;

namespace Zoo.Tasks;

/// <summary>
/// Share of wrong answers and mean loss of a classifier: "test_error_percent", "test_misses", "test_loss". Its details are the
/// confusion matrix and, of images, the misread ones.
/// </summary>
/// <remarks>
/// Of misread images the sixty with the widest margin are kept, widest first: the output of the class that was answered less the output
/// of the right one. Equal margins keep the order of the examples.
/// </remarks>
/// <param name="prefix">The held-out set's name.</param>
public sealed class ClassificationMetrics(string prefix) : MetricAccumulator
{
    private const int MostImages = 60;
    private const long MostMatrixClasses = 100;
    private readonly PriorityQueue<Misread, (double Margin, long Earliness)> _misread = new();
    private long[][] _counts = [];
    private double _lossSum;
    private long _misses;
    private long _count;
    private int _height;
    private int _width;

    /// <inheritdoc/>
    public override void Add(Batch batch, ModelOutput output)
    {
        var labels = batch switch
        {
            ImageBatch images => images.Labels,
            VectorBatch vectors => vectors.Labels,
            _ => throw new ArgumentException($"Classification needs labels; a {batch.GetType().Name} has none.", nameof(batch)),
        };
        using var scope = torch.NewDisposeScope();
        var outputs = output.Outputs;   // [batch, class]
        var answers = outputs.argmax(dim: -1);
        var right = labels.cpu().data<long>().ToArray();
        var answered = answers.cpu().data<long>().ToArray();
        Count(right, answered, outputs.shape[^1]);
        if (batch is ImageBatch pictures && _misses > 0)
            KeepMisread(pictures.Images, outputs, right, answered);
        _lossSum += output.Loss.item<float>() * batch.TargetCount;
        _count += batch.TargetCount;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Metric> Result() =>
    [
        new($"{prefix}_error_percent", 100.0 * _misses / _count, _count),
        new($"{prefix}_misses", _misses, _count),
        new($"{prefix}_loss", _lossSum / _count, _count),
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<ReportItem> Details()
    {
        var items = new List<ReportItem>();
        if (_counts.Length > 0)
        {
            items.Add(new MatrixItem(
                $"Confusion matrix of {prefix}", "class", "read as", [.. Enumerable.Range(0, _counts.Length).Select(c => $"{c}")], [.. _counts]));
        }
        if (_misread.Count > 0)
        {
            var kept = _misread.UnorderedItems.OrderByDescending(m => m.Priority).Select(m => m.Element).ToList();
            var title = kept.Count < _misses
                ? $"Misread examples of {prefix}: the {kept.Count} most confident errors of {_misses:N0}"
                : $"Misread examples of {prefix}: all {_misses:N0}, the most confident errors first";
            items.Add(new ImageGridItem(title, _height, _width, Scale(kept)));
        }
        return items;
    }

    private void Count(long[] right, long[] answered, long classes)
    {
        if (_counts.Length == 0 && classes <= MostMatrixClasses)
            _counts = [.. Enumerable.Range(0, (int)classes).Select(_ => new long[classes])];
        for (var i = 0; i < right.Length; i++)
        {
            _misses += right[i] == answered[i] ? 0 : 1;
            if (_counts.Length > 0)
                _counts[right[i]][answered[i]]++;
        }
    }

    private void KeepMisread(torch.Tensor images, torch.Tensor outputs, long[] right, long[] answered)
    {
        var values = outputs.cpu().to(torch.ScalarType.Float64).contiguous().data<double>().ToArray();
        var classes = outputs.shape[^1];
        (_height, _width) = ((int)images.shape[2], (int)images.shape[3]);
        for (var i = 0; i < right.Length; i++)
        {
            if (right[i] == answered[i])
                continue;
            var margin = values[i * classes + answered[i]] - values[i * classes + right[i]];
            var priority = (margin, Earliness: -(_count + i));
            if (_misread.Count == MostImages)
            {
                _misread.TryPeek(out _, out var least);
                if (priority.CompareTo(least) <= 0)
                    continue;
                _misread.Dequeue();
            }
            var grey = images[i].mean([0]).to(torch.ScalarType.Float32).cpu().contiguous();   // [height, width]
            _misread.Enqueue(new Misread($"{right[i]} read as {answered[i]}", grey.data<float>().ToArray()), priority);
        }
    }

    /// <summary>From the lowest value of all to the highest one.</summary>
    private static IReadOnlyList<CaptionedImage> Scale(List<Misread> kept)
    {
        var finite = kept.SelectMany(m => m.Pixels).Where(float.IsFinite).DefaultIfEmpty();
        var (low, high) = (finite.Min(), finite.Max());
        var scale = high > low ? 255 / (high - low) : 0;
        return [.. kept.Select(m => new CaptionedImage(m.Caption, [.. m.Pixels.Select(Byte)]))];

        byte Byte(float pixel) => float.IsNaN(pixel) ? (byte)0 : (byte)Math.Clamp(MathF.Round((pixel - low) * scale), 0, 255);
    }

    private sealed record Misread(string Caption, float[] Pixels);
}
