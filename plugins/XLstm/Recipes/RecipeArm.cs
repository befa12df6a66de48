namespace Zoo.XLstm.Recipes;

/// <summary>A row of a recipe's table: a model and how it is set.</summary>
/// <param name="Name">The row's name.</param>
/// <param name="Model">Architecture.</param>
/// <param name="Preset">Preset; null for the architecture's own.</param>
/// <param name="Paper">The paper's number; null where it has none.</param>
/// <param name="Sets">`--set` texts.</param>
internal sealed record RecipeArm(string Name, string Model, string? Preset, double? Paper, params IReadOnlyList<string> Sets);
