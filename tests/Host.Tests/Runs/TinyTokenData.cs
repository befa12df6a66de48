using Zoo.Architectures;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.Runs;

/// <summary>Sequences that count upwards in steps of three, modulo eleven, now and then with another number; example i is a function of i.</summary>
internal sealed class TinyTokenData : TaskData
{
    private const int VocabSize = 11;
    private const int Length = 12;

    public override TaskShape Shape => new(ModelKind.TokenModel) { VocabSize = VocabSize, Length = Length, MaximumLength = Length };

    public override string Description => "tiny sequences";

    public override long? TrainingCount => null;

    /// <summary>Batches of training so far.</summary>
    public int Count { get; private set; }

    /// <summary>Called before each training batch.</summary>
    public Func<TinyTokenData, int> OnTrainingBatch { get; init; } = _ => 0;

    public override IReadOnlyList<HeldOutSet> HeldOut => [new("val", 40)];

    public override Batch TrainingBatch(ReadOnlySpan<long> indices)
    {
        Count++;
        OnTrainingBatch(this);
        return Make(indices, 1_000_000);
    }

    public override Batch HeldOutBatch(HeldOutSet set, ReadOnlySpan<long> indices) => Make(indices, 0);

    public override MetricAccumulator NewMetrics(HeldOutSet set) => new LanguageModelMetrics(set.Name, "token");

    private static TokenBatch Make(ReadOnlySpan<long> indices, int stream)
    {
        var (ids, targets) = (new long[indices.Length * Length], new long[indices.Length * Length]);
        for (var n = 0; n < indices.Length; n++)
        {
            var random = new Random((int)indices[n] + stream);
            var id = random.NextInt64(VocabSize);
            for (var t = 0; t < Length; t++)
            {
                ids[n * Length + t] = id;
                id = random.Next(10) == 0 ? random.NextInt64(VocabSize) : (id + 3) % VocabSize;
                targets[n * Length + t] = id;
            }
        }
        return new TokenBatch(tensor(ids, [indices.Length, Length]), arange(ids.Length, int64), tensor(targets));
    }
}
