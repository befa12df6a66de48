using Zoo.Architectures;
using Zoo.Host.Configuration;
using Zoo.Host.Tasks;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.Tasks;

/// <summary>Opens tasks on tokens and scores hand-written answers on them.</summary>
internal static class TokenTasks
{
    private const int BatchSize = 500;

    /// <summary>A task of the host, opened with options as they are typed.</summary>
    public static TaskData Open(string name, string sets = "", int seed = 1) => HostTasks.All.Single(t => t.Info.Name == name).Open(new TaskRequest
    {
        Options = RunPlanner.ParseSets(sets.Split(' ', StringSplitOptions.RemoveEmptyEntries)),
        Seed = seed,
    });

    /// <summary>A sample: its ids up to the last one that is scored, and the answers by position.</summary>
    public sealed record Sample(long[] Ids, IReadOnlyDictionary<int, long> Answers)
    {
        public override string ToString() => $"{string.Join(' ', Ids)} | {string.Join(' ', Answers)}";
    }

    /// <summary>The samples of a batch.</summary>
    public static IReadOnlyList<Sample> Samples(TokenBatch batch)
    {
        var width = (int)batch.Ids.shape[1];
        var ids = batch.Ids.data<long>().ToArray();
        var answers = batch.ScoredPositions.data<long>().ToArray().Zip(batch.Targets.data<long>().ToArray())
            .ToLookup(scored => (int)(scored.First / width), scored => (Place: (int)(scored.First % width), Target: scored.Second));
        return
        [
            .. Enumerable.Range(0, batch.Count).Select(row => new Sample(
                ids[(row * width)..(row * width + answers[row].Max(a => a.Place) + 1)], answers[row].ToDictionary(a => a.Place, a => a.Target))),
        ];
    }

    /// <summary>Training samples from <paramref name="first"/> on.</summary>
    public static IReadOnlyList<Sample> TrainingSamples(TaskData data, int count, int first = 0)
    {
        using var batch = (TokenBatch)data.TrainingBatch(Indices(first, count));
        return Samples(batch);
    }

    /// <summary>Samples of a held-out set.</summary>
    public static IReadOnlyList<Sample> HeldOutSamples(TaskData data, string set, int count)
    {
        using var batch = (TokenBatch)data.HeldOutBatch(data.HeldOut.Single(s => s.Name == set), Indices(0, count));
        return Samples(batch);
    }

    /// <summary>The metrics of a set for a way to answer: from a sample's ids and a position to an id.</summary>
    public static IReadOnlyDictionary<string, double> Score(TaskData data, string setName, Func<long[], int, long> answer)
    {
        var set = data.HeldOut.Single(s => s.Name == setName);
        var metrics = data.NewMetrics(set);
        for (var start = 0; start < set.Count; start += BatchSize)
        {
            using var scope = NewDisposeScope();
            using var batch = (TokenBatch)data.HeldOutBatch(set, Indices(start, (int)Math.Min(BatchSize, set.Count - start)));
            var width = batch.Ids.shape[1];
            var samples = Samples(batch);
            var answers = batch.ScoredPositions.data<long>().ToArray()
                .Select(position => answer(samples[(int)(position / width)].Ids, (int)(position % width))).ToArray();
            var logits = 20f * nn.functional.one_hot(tensor(answers), data.Shape.VocabSize!.Value).to(float32);
            metrics.Add(batch, new ModelOutput(logits, nn.functional.cross_entropy(logits, batch.Targets)));
        }
        return metrics.Result().ToDictionary(m => m.Name, m => m.Value);
    }

    private static long[] Indices(int first, int count) => [.. Enumerable.Range(first, count).Select(i => (long)i)];
}
