using System.Numerics;
using Zoo.Architectures;
using Zoo.Data;
using Zoo.Tasks;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Host.Tasks;

/// <summary>
/// A text as windows of T tokens, each position's target the token after it. Training windows begin anywhere in the first part of the
/// text; the held-out part is cut into windows one after the other, and each of its tokens but the very first is scored once.
/// </summary>
/// <remarks>
/// In the held-out part a token at place p of its window (from 1) is predicted from the p tokens before it in that window, so 1 to T of
/// them. The last window is moved back to be whole; what the one before it scored is not scored again.
/// </remarks>
/// <typeparam name="T">What a token's id is stored as.</typeparam>
internal sealed class TextWindows<T> : TaskData
    where T : unmanaged, IBinaryInteger<T>
{
    private const string Validation = "val";

    private readonly T[] _tokens;
    private readonly int _trainCount;
    private readonly int _length;
    private readonly ulong _stream;
    private readonly ulong _seed;

    /// <param name="tokens">The text as ids.</param>
    /// <param name="encoding">What the ids mean.</param>
    /// <param name="corpus">Where the text comes from.</param>
    /// <param name="options">Window and split.</param>
    /// <param name="stream">Of the task's random numbers.</param>
    /// <param name="seed">The run's seed.</param>
    /// <exception cref="UserException">The text is shorter than a window.</exception>
    public TextWindows(T[] tokens, TextEncoding encoding, TextCorpus corpus, TextOptions options, ulong stream, int seed)
    {
        (_tokens, _length, _stream, _seed) = (tokens, options.Length, stream, SampleRandom.TrainingSeed(seed));
        _trainCount = (int)((1 - options.HeldOut) * tokens.Length);
        var heldOut = tokens.Length - _trainCount;
        (Text, Fingerprint) = (encoding, corpus.Fingerprint);
        var longest = options.TestLengths.Append(_length).Max();
        foreach (var (count, what, length) in new[] { (_trainCount, "to train on", _length), (heldOut, "held out", longest) })
        {
            if (count <= length)
            {
                throw new UserException($"{corpus.Source} has {Count(tokens.Length)}, {count:N0} of them {what}, and a window of {length:N0} needs " +
                    $"{length + 1:N0}: take a longer text, or a shorter --length.");
            }
        }
        var symbols = encoding is CharacterEncoding ? $", {encoding.VocabSize:N0} symbols" : "";
        Description = $"{corpus.Source} (sha256 {Fingerprint}{symbols}): {Count(_trainCount)} to train on, {heldOut:N0} held out";
        HeldOut =
        [
            Windows(Validation, heldOut, _length),
            .. options.TestLengths.Order().Select(length => Windows($"{Validation}_{length}", heldOut, length) with { DuringTraining = false }),
        ];
        Shape = new TaskShape(ModelKind.TokenModel)
        {
            VocabSize = encoding.VocabSize,
            Length = _length,
            MaximumLength = longest,
        };

        string Count(int n) => Counted.Of(n, encoding.Unit == "char" ? "character" : encoding.Unit);
    }

    public override TaskShape Shape { get; }

    public override string Description { get; }

    public override TextEncoding Text { get; }

    public override string Fingerprint { get; }

    public override long? TrainingCount => null;

    public override TrainingSettings Training { get; } = new()
    {
        BatchSize = 16,
        Steps = 2000,
        LearningRate = 1e-3,
        Schedule = ScheduleKind.Cosine,
        WarmupSteps = 100,
        WeightDecay = 0.1,
        Beta2 = 0.99,
        GradientClip = 1,
    };

    public override IReadOnlyList<HeldOutSet> HeldOut { get; }

    public override Batch TrainingBatch(ReadOnlySpan<long> indices)
    {
        var rows = new Rows(indices.Length, _length);
        foreach (var index in indices)
        {
            var start = new SampleRandom(_stream, _seed, (ulong)index).Below(_trainCount - _length);
            rows.Add(_tokens.AsSpan(start, _length + 1), firstScored: 0);
        }
        return rows.ToBatch();
    }

    public override Batch HeldOutBatch(HeldOutSet set, ReadOnlySpan<long> indices)
    {
        var length = set.Length!.Value;
        var rows = new Rows(indices.Length, length);
        foreach (var index in indices)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)index, (ulong)set.Count, nameof(indices));
            var wanted = _trainCount + index * length;
            var start = (int)Math.Min(wanted, _tokens.Length - length - 1);
            rows.Add(_tokens.AsSpan(start, length + 1), firstScored: (int)(wanted - start));
        }
        return rows.ToBatch();
    }

    /// <summary>The window and its targets: as quoted text, or as bytes.</summary>
    public override string Describe(Batch batch, int row)
    {
        var tokens = (TokenBatch)batch;
        var width = (int)tokens.Ids.shape[1];
        var ids = tokens.Ids.cpu().data<long>().ToArray().AsSpan(row * width, width);
        var targets = tokens.ScoredPositions.cpu().data<long>().ToArray().Zip(tokens.Targets.cpu().data<long>().ToArray())
            .Where(scored => scored.First / width == row).Select(scored => scored.Second).ToArray();
        return $"{Words(ids)} → {Words(targets)}";

        string Words(ReadOnlySpan<long> part) => Text is ByteEncoding
            ? string.Join(' ', part.ToArray())
            : $"\"{Text.Decode(part).Replace("\n", "\\n", StringComparison.Ordinal)}\"";
    }

    public override MetricAccumulator NewMetrics(HeldOutSet set) => new LanguageModelMetrics(set.Name, Text.Unit);

    private static HeldOutSet Windows(string name, int tokens, int length) =>
        new(name, (tokens - 1 + length - 1) / length) { Length = length };

    /// <summary>Windows of one length being gathered into a batch.</summary>
    private sealed class Rows
    {
        private readonly int _count;
        private readonly int _length;
        private readonly long[] _ids;
        private readonly long[] _positions;
        private readonly long[] _targets;
        private int _rows;
        private int _scored;

        public Rows(int count, int length)
        {
            BatchLimit.Require(count, length);
            (_count, _length) = (count, length);
            (_ids, _positions, _targets) = (new long[count * length], new long[count * length], new long[count * length]);
        }

        /// <param name="window">One token more than a row has.</param>
        /// <param name="firstScored">The first position whose target counts.</param>
        public void Add(ReadOnlySpan<T> window, int firstScored)
        {
            var start = _rows++ * _length;
            for (var t = 0; t < _length; t++)
                _ids[start + t] = long.CreateTruncating(window[t]);
            for (var t = firstScored; t < _length; t++)
            {
                _positions[_scored] = start + t;
                _targets[_scored++] = long.CreateTruncating(window[t + 1]);
            }
        }

        public TokenBatch ToBatch() => new(
            tensor(_ids, [_count, _length]), tensor(_scored < _positions.Length ? _positions[.._scored] : _positions),
            tensor(_scored < _targets.Length ? _targets[.._scored] : _targets));
    }
}
