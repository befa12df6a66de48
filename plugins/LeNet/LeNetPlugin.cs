using Microsoft.Extensions.DependencyInjection;
using Zoo.Kernels;
using Zoo.LeNet.Ops.Net;
using Zoo.LeNet.Recipes;
using Zoo.Recipes;
using Zoo.Tasks;

namespace Zoo.LeNet;

/// <summary>Adds the preparation of digits, the net as one op, batch normalisation, and the task of 1989.</summary>
public sealed class LeNetPlugin : IZooPlugin
{
    /// <inheritdoc/>
    public void ConfigureServices(IServiceCollection services)
    {
        services.AddSingleton<Op, PrepareOp>();
        services.AddSingleton<Op>(NetOp.Instance);
        services.AddSingleton<Op>(BatchNorm.Instance);
        services.AddSingleton<ITask, DigitsTask>();
        services.AddSingleton<IRecipe, Lecun1989Recipe>();
        services.AddSingleton<IRecipe, BatchNormRecipe>();
    }
}
