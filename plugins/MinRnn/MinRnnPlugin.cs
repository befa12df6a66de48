using Microsoft.Extensions.DependencyInjection;
using Zoo.Kernels;
using Zoo.MinRnn.Ops;
using Zoo.MinRnn.Recipes;
using Zoo.Recipes;

namespace Zoo.MinRnn;

/// <summary>Adds the scans of minGRU, minLSTM, QRNN and LRU as ops, and the recipes.</summary>
public sealed class MinRnnPlugin : IZooPlugin
{
    /// <inheritdoc/>
    public void ConfigureServices(IServiceCollection services)
    {
        services.AddSingleton<Op>(MinGruOp.Instance);
        services.AddSingleton<Op>(MinLstmOp.Instance);
        services.AddSingleton<Op>(ForgetMultOp.Instance);
        services.AddSingleton<Op>(QrnnPoolOp.Instance);
        services.AddSingleton<Op>(LruOp.Instance);
        services.AddSingleton<Op>(LruScanOp.Instance);
        services.AddSingleton<IRecipe, SelectiveCopyRecipe>();
        services.AddSingleton<IRecipe, ShakespeareRecipe>();
        services.AddSingleton<IRecipe, SpeedRecipe>();
        services.AddSingleton<IRecipe, ListOpsRecipe>();
        services.AddSingleton<IRecipe, IsQrnnRecipe>();
    }
}
