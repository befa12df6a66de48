using Microsoft.Extensions.DependencyInjection;
using Zoo;
using Zoo.Kernels;
using Zoo.Tasks;

namespace PixelMlp;

/// <summary>What the plugin adds beyond architectures, which need no registration. At most one such class a DLL.</summary>
public sealed class PixelMlpPlugin : IZooPlugin
{
    public void ConfigureServices(IServiceCollection services)
    {
        services.AddSingleton<ITask, ShapesTask>();
        services.AddSingleton<Op, ScaledTanhOp>();
    }
}
