namespace Zoo.Tasks;

/// <summary>A set of examples that training never sees.</summary>
/// <param name="Name">Prefix of its metrics: "test" gives "test_error_percent".</param>
/// <param name="Count">How many examples it has.</param>
public sealed record HeldOutSet(string Name, long Count)
{
    /// <summary>Length of its sequences, where the set has one.</summary>
    public int? Length { get; init; }

    /// <summary>Whether it is evaluated during training, or only at the end.</summary>
    public bool DuringTraining { get; init; } = true;
}
