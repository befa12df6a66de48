using Microsoft.Extensions.DependencyInjection;
using Zoo.Kernels;
using Zoo.MatMulFree.Ops.Hgrn;
using Zoo.MatMulFree.Ops.TernaryMatmul;

namespace Zoo.MatMulFree;

/// <summary>Adds the ops of the MatMul-free language model.</summary>
public sealed class MatMulFreePlugin : IZooPlugin
{
    /// <inheritdoc/>
    public void ConfigureServices(IServiceCollection services)
    {
        services.AddSingleton<Op>(HgrnOp.Instance);
        services.AddSingleton<Op>(TernaryMatmulOp.Instance);
    }
}
