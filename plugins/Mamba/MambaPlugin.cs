using Microsoft.Extensions.DependencyInjection;
using Zoo.Kernels;
using Zoo.Mamba.Ops.SelectiveScan;
using Zoo.Mamba.Ops.Step;

namespace Zoo.Mamba;

/// <summary>Adds the selective scan in its two layouts, and a block's step.</summary>
public sealed class MambaPlugin : IZooPlugin
{
    /// <inheritdoc/>
    public void ConfigureServices(IServiceCollection services)
    {
        services.AddSingleton<Op>(SelectiveScan.Instance);
        services.AddSingleton<Op>(SelectiveScanTokens.Instance);
        services.AddSingleton<Op>(MambaStep.Instance);
    }
}
