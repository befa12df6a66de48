using Microsoft.Extensions.DependencyInjection;
using Zoo.Kernels;
using Zoo.Mamba.Ops.SelectiveScan;

namespace Zoo.Mamba;

/// <summary>Adds the selective scan in its two layouts.</summary>
public sealed class MambaPlugin : IZooPlugin
{
    /// <inheritdoc/>
    public void ConfigureServices(IServiceCollection services)
    {
        services.AddSingleton<Op>(SelectiveScan.Instance);
        services.AddSingleton<Op>(SelectiveScanTokens.Instance);
    }
}
