namespace Zoo.Recipes;

/// <summary>How much of the paper's set-up is run.</summary>
public enum RecipeScale
{
    /// <summary>Minutes on two cores; honest about being smaller.</summary>
    Quick,

    /// <summary>The paper's own settings.</summary>
    Full,
}
