using Zoo.Training;

namespace Zoo.Tasks;

/// <summary>
/// A task's data, opened. Training example i is a function of (task, version, seed, i): independent of threads, batch size and resume.
/// </summary>
public abstract class TaskData : IDisposable
{
    /// <summary>Sizes for the model.</summary>
    public abstract TaskShape Shape { get; }

    /// <summary>What the data are and where they come from, for the run's record: "MNIST from data/mnist, 7,291 + 2,007 digits".</summary>
    public abstract string Description { get; }

    /// <summary>
    /// What tells these data from others, such as a hash of a file's content: a run goes on, and is scored, only with data of its own. Null
    /// where nothing but the options and the version decides what they are.
    /// </summary>
    public virtual string? Fingerprint => null;

    /// <summary>How many training examples there are; null where they never end.</summary>
    public abstract long? TrainingCount { get; }

    /// <summary>What the ids of a text task mean, kept with the run; null where the ids are no text.</summary>
    public virtual TextEncoding? Text => null;

    /// <summary>Settings that suit this task, below the model's own.</summary>
    public virtual TrainingSettings Training => new();

    /// <summary>Training examples.</summary>
    /// <param name="indices">Their numbers, from 0.</param>
    public abstract Batch TrainingBatch(ReadOnlySpan<long> indices);

    /// <summary>Sets of examples that training never sees.</summary>
    public abstract IReadOnlyList<HeldOutSet> HeldOut { get; }

    /// <summary>Examples of a held-out set.</summary>
    /// <param name="set">One of <see cref="HeldOut"/>.</param>
    /// <param name="indices">Their numbers, from 0.</param>
    public abstract Batch HeldOutBatch(HeldOutSet set, ReadOnlySpan<long> indices);

    /// <summary>Fresh metrics for a held-out set.</summary>
    public abstract MetricAccumulator NewMetrics(HeldOutSet set);

    /// <summary>An example in words, as the documentation shows it: its inputs and what is expected.</summary>
    /// <param name="batch">One of this task's batches.</param>
    /// <param name="row">Which of its examples.</param>
    /// <returns>One line; null where examples cannot be put in words.</returns>
    public virtual string? Describe(Batch batch, int row) => null;

    /// <summary>Frees what is held.</summary>
    public virtual void Dispose() => GC.SuppressFinalize(this);
}
