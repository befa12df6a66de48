namespace Zoo.Recipes;

/// <summary>Reproduces a table or figure of a paper: which runs, which numbers to compare, and what counts as reproduced.</summary>
/// <remarks>
/// The set-up is fixed before the first run that counts, every seed is reported, and a claim is an ordering or a band, not a point. Register it
/// as a singleton in <see cref="IZooPlugin.ConfigureServices"/>.
/// </remarks>
public interface IRecipe
{
    /// <summary>Its name and source.</summary>
    RecipeInfo Info { get; }

    /// <summary>Runs it and reports every row through the context.</summary>
    /// <exception cref="UserException">Data or options do not fit.</exception>
    void Run(IRecipeContext context);
}
