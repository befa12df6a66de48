using Microsoft.Extensions.DependencyInjection;
using Zoo.Kernels;
using Zoo.Tasks;

namespace Zoo.LeNet;

/// <summary>Adds the preparation of digits and the task of 1989.</summary>
public sealed class LeNetPlugin : IZooPlugin
{
    /// <inheritdoc/>
    public void ConfigureServices(IServiceCollection services)
    {
        services.AddSingleton<Op, PrepareOp>();
        services.AddSingleton<ITask, DigitsTask>();
    }
}
