namespace Zoo.Tasks;

/// <summary>Samples that a <see cref="TokenGenerator"/> writes.</summary>
/// <param name="Name">The set's name, and the prefix of its metrics.</param>
/// <param name="Shortest">The least length of a sample.</param>
/// <param name="Longest">The greatest one; every length from the least on is equally likely.</param>
/// <param name="Count">How many there are; null for endless training samples.</param>
public sealed record GeneratedSet(string Name, int Shortest, int Longest, long? Count)
{
    /// <summary>Whether it is evaluated during training, or only at the end.</summary>
    public bool DuringTraining { get; init; } = true;
}
