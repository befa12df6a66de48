namespace Zoo.Host.Configuration;

/// <summary>What the user asked to train, as typed.</summary>
internal sealed record RunRequest(string Model)
{
    /// <summary>--preset; null for the one that the name means.</summary>
    public string? Preset { get; init; }

    /// <summary>--task; null for the architecture's own.</summary>
    public string? Task { get; init; }

    /// <summary>--set key=value, in order: the model's keys as they are, the task's under "task.", training settings under "train.".</summary>
    public IReadOnlyList<string> Sets { get; init; } = [];

    /// <summary>--data.</summary>
    public string? DataPath { get; init; }

    /// <summary>--length.</summary>
    public int? Length { get; init; }

    /// <summary>--steps.</summary>
    public long? Steps { get; init; }

    /// <summary>--batch-size.</summary>
    public int? BatchSize { get; init; }

    /// <summary>--lr.</summary>
    public double? LearningRate { get; init; }

    /// <summary>--seed.</summary>
    public int Seed { get; init; } = 1;
}
