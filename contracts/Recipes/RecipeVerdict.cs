namespace Zoo.Recipes;

/// <summary>What came of a row.</summary>
public enum RecipeVerdict
{
    /// <summary>The claim holds in the paper's own set-up.</summary>
    Reproduced,

    /// <summary>The claim holds in a smaller or otherwise different set-up; the reason says which.</summary>
    ScaledEvidence,

    /// <summary>It was run, and the claim does not hold.</summary>
    NotReproduced,

    /// <summary>It was not run; the reason says what is missing.</summary>
    NotAttempted,
}
