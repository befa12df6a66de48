using Microsoft.Extensions.DependencyInjection;
using Zoo.Recipes;

namespace Zoo.Faulty;

/// <summary>Brings a recipe whose name leads out of a folder and one that does not know its name.</summary>
public sealed class BadRecipePlugin : IZooPlugin
{
    public void ConfigureServices(IServiceCollection services)
    {
        services.AddSingleton<IRecipe, ClimbingRecipe>();
        services.AddSingleton<IRecipe, NamelessRecipe>();
    }

    private sealed class ClimbingRecipe : IRecipe
    {
        public RecipeInfo Info { get; } = new("../climbing", "A table", "A test's own") { Claim = "None." };

        public void Run(IRecipeContext context)
        {
        }
    }

    private sealed class NamelessRecipe : IRecipe
    {
        public RecipeInfo Info => throw new NotSupportedException("no table on this machine");

        public void Run(IRecipeContext context)
        {
        }
    }
}
