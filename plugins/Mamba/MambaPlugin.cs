using Microsoft.Extensions.DependencyInjection;
using Zoo.Kernels;
using Zoo.Mamba.Ops.SelectiveScan;
using Zoo.Mamba.Ops.Step;
using Zoo.Mamba.Recipes;
using Zoo.Recipes;

namespace Zoo.Mamba;

/// <summary>Adds the selective scan in its two layouts, a block's step, and the recipes.</summary>
public sealed class MambaPlugin : IZooPlugin
{
    /// <inheritdoc/>
    public void ConfigureServices(IServiceCollection services)
    {
        services.AddSingleton<Op>(SelectiveScan.Instance);
        services.AddSingleton<Op>(SelectiveScanTokens.Instance);
        services.AddSingleton<Op>(MambaStep.Instance);
        services.AddSingleton<IRecipe, SelectiveCopyRecipe>();
        services.AddSingleton<IRecipe, InductionHeadsRecipe>();
        services.AddSingleton<IRecipe, ShakespeareRecipe>();
    }
}
