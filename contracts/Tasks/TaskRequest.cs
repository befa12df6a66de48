using System.Text.Json.Nodes;

namespace Zoo.Tasks;

/// <summary>What the user asks of a task.</summary>
public sealed record TaskRequest
{
    /// <summary>Options that were set, by key.</summary>
    public JsonObject Options { get; init; } = [];

    /// <summary>A file or folder with real data; null for what the task generates or carries.</summary>
    public string? DataPath { get; init; }

    /// <summary>Sequence length to train at; null for the task's default.</summary>
    public int? Length { get; init; }

    /// <summary>The run's seed. Held-out examples do not depend on it.</summary>
    public int Seed { get; init; } = 1;
}
