using Microsoft.Extensions.DependencyInjection;
using Zoo.Kernels;
using Zoo.Recipes;
using Zoo.XLstm.Ops.HeadNorm;
using Zoo.XLstm.Ops.Mlstm;
using Zoo.XLstm.Ops.MlstmInputs;
using Zoo.XLstm.Ops.Slstm;
using Zoo.XLstm.Ops.SlstmInputs;
using Zoo.XLstm.Recipes;

namespace Zoo.XLstm;

/// <summary>Adds the recurrences of xLSTM and what stands around them as ops, and the recipes.</summary>
public sealed class XLstmPlugin : IZooPlugin
{
    /// <inheritdoc/>
    public void ConfigureServices(IServiceCollection services)
    {
        services.AddSingleton<Op>(Mlstm.Instance);
        services.AddSingleton<Op>(MlstmInputs.Instance);
        services.AddSingleton<Op>(HeadNorm.Instance);
        services.AddSingleton<Op>(Slstm.Instance);
        services.AddSingleton<Op>(SlstmInputs.Instance);
        services.AddSingleton<IRecipe, FormalLanguagesRecipe>();
        services.AddSingleton<IRecipe, MqarRecipe>();
        services.AddSingleton<IRecipe, ShakespeareRecipe>();
    }
}
