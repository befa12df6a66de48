using Microsoft.Extensions.DependencyInjection;
using Zoo.Kernels;
using Zoo.Recipes;
using Zoo.SageAttention.Ops.Sage;
using Zoo.SageAttention.Recipes;

namespace Zoo.SageAttention;

/// <summary>Adds quantised attention, and the recipe of the Transformer.</summary>
public sealed class SageAttentionPlugin : IZooPlugin
{
    /// <inheritdoc/>
    public void ConfigureServices(IServiceCollection services)
    {
        services.AddSingleton<Op>(SageAttentionOp.Instance);
        services.AddSingleton<IRecipe, ShakespeareRecipe>();
        services.AddSingleton<IRecipe, AccuracyRecipe>();
        services.AddSingleton<IRecipe, SpeedRecipe>();
        services.AddSingleton<IRecipe, EndToEndRecipe>();
    }
}
