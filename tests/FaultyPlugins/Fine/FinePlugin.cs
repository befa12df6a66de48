using Microsoft.Extensions.DependencyInjection;
using Zoo.Kernels;

namespace Zoo.Faulty;

/// <summary>Adds an op.</summary>
public sealed class FinePlugin : IZooPlugin
{
    public void ConfigureServices(IServiceCollection services) => services.AddSingleton<Op, DoubleOp>();
}
