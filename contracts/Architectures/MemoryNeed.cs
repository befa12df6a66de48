namespace Zoo.Architectures;

/// <summary>What some use of a config needs, reckoned from its sizes: for `zoo show`.</summary>
/// <param name="Use">"training", "inference".</param>
/// <param name="Bytes">How much.</param>
/// <param name="Of">What is counted, in words.</param>
public sealed record MemoryNeed(string Use, long Bytes, string Of)
{
    /// <summary>The same for a Transformer with as many parameters, layers and channels, where the architecture is compared with one.</summary>
    public long? TransformerBytes { get; init; }
}
