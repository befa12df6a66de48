using Microsoft.Extensions.DependencyInjection;
using Zoo.Kernels;
using Zoo.MatMulFree.Ops.BitLinear;
using Zoo.MatMulFree.Ops.GatedHalves;
using Zoo.MatMulFree.Ops.Hgrn;
using Zoo.MatMulFree.Ops.Mlgru;
using Zoo.MatMulFree.Ops.PackedBitLinear;
using Zoo.MatMulFree.Ops.SwishNorm;
using Zoo.MatMulFree.Ops.TernaryMatmul;
using Zoo.MatMulFree.Recipes;
using Zoo.Recipes;

namespace Zoo.MatMulFree;

/// <summary>Adds the ops and the recipes of the MatMul-free language model.</summary>
public sealed class MatMulFreePlugin : IZooPlugin
{
    /// <inheritdoc/>
    public void ConfigureServices(IServiceCollection services)
    {
        services.AddSingleton<Op>(BitLinearOp.Instance);
        services.AddSingleton<Op>(HgrnOp.Instance);
        services.AddSingleton<Op>(TernaryMatmulOp.Instance);
        services.AddSingleton<Op>(PackedBitLinearOp.Instance);
        services.AddSingleton<Op>(MlgruOp.Instance);
        services.AddSingleton<Op>(SwishNormOp.Instance);
        services.AddSingleton<Op>(GatedHalvesOp.Instance);
        services.AddSingleton<IRecipe, MemoryRecipe>();
        services.AddSingleton<IRecipe, LearningRateRecipe>();
        services.AddSingleton<IRecipe, ExactRecipe>();
    }
}
