namespace Zoo.Recipes;

/// <summary>What a recipe says of itself.</summary>
/// <param name="Name">What the user types.</param>
/// <param name="Title">One line for a list.</param>
/// <param name="Paper">Source of the numbers it compares with.</param>
public sealed record RecipeInfo(string Name, string Title, string Paper)
{
    /// <summary>What it claims, and what it does not, in sentences.</summary>
    public required string Claim { get; init; }

    /// <summary>Seeds run when the user does not say how many.</summary>
    public int DefaultSeeds { get; init; } = 3;

    /// <summary>What `--data` may name; null where it takes none.</summary>
    public string? DataHelp { get; init; }
}
