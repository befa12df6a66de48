namespace Zoo.Host.Generation;

/// <summary>How the next token is chosen from the logits.</summary>
internal sealed record SamplingOptions
{
    /// <summary>What logits are divided by; 0 takes the most likely token.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Only so many of the most likely tokens take part; null for all.</summary>
    public int? TopK { get; init; }

    /// <summary>Only the most likely tokens that together reach this probability take part; 1 for all.</summary>
    public double TopP { get; init; } = 1;
}
