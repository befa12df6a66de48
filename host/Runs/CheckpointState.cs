namespace Zoo.Host.Runs;

/// <summary>A checkpoint's state.json: where the run stood, and the checksums that say the folder is whole.</summary>
internal sealed record CheckpointState
{
    /// <summary>The layout of the folder.</summary>
    public const int CurrentFormat = 1;

    /// <summary>The layout of the folder.</summary>
    public int Format { get; init; } = CurrentFormat;

    /// <summary>Steps done.</summary>
    public required long Step { get; init; }

    /// <summary>Training examples seen: the position in the stream of passes.</summary>
    public required long DataPosition { get; init; }

    /// <summary>State of the random numbers.</summary>
    public required RandomState Random { get; init; }

    /// <summary>Sum of the losses since the last record.</summary>
    public required double LossSum { get; init; }

    /// <summary>Steps since the last record.</summary>
    public required long LossCount { get; init; }

    /// <summary>Seconds of training so far, evaluations and checkpoints left out.</summary>
    public required double TrainSeconds { get; init; }

    /// <summary>CPU seconds of the whole run so far, starts, evaluations and checkpoints included; 0 where an earlier version wrote it.</summary>
    public double CpuSeconds { get; init; }

    /// <summary>The other files of the folder, by name.</summary>
    public required Dictionary<string, FileState> Files { get; init; }

    /// <summary>State of the random numbers. Torch's generators are seeded from seed and step at the start of each step.</summary>
    /// <param name="Seed">The run's seed.</param>
    /// <param name="ModelCounter">Numbers that the model has drawn from its own sequence.</param>
    internal sealed record RandomState(int Seed, ulong ModelCounter);

    /// <summary>A file as it was written.</summary>
    /// <param name="Bytes">Its size.</param>
    /// <param name="Sha256">Its checksum, in lower-case hexadecimal digits.</param>
    internal sealed record FileState(long Bytes, string Sha256);
}
