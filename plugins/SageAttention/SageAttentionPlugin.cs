using Microsoft.Extensions.DependencyInjection;
using Zoo.Recipes;
using Zoo.SageAttention.Recipes;

namespace Zoo.SageAttention;

/// <summary>Adds the recipe of the Transformer.</summary>
public sealed class SageAttentionPlugin : IZooPlugin
{
    /// <inheritdoc/>
    public void ConfigureServices(IServiceCollection services) => services.AddSingleton<IRecipe, ShakespeareRecipe>();
}
