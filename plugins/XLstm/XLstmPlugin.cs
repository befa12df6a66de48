using Microsoft.Extensions.DependencyInjection;
using Zoo.Kernels;
using Zoo.XLstm.Ops.HeadNorm;
using Zoo.XLstm.Ops.Mlstm;
using Zoo.XLstm.Ops.MlstmInputs;
using Zoo.XLstm.Ops.Slstm;

namespace Zoo.XLstm;

/// <summary>Adds the recurrences of xLSTM as ops.</summary>
public sealed class XLstmPlugin : IZooPlugin
{
    /// <inheritdoc/>
    public void ConfigureServices(IServiceCollection services)
    {
        services.AddSingleton<Op>(Mlstm.Instance);
        services.AddSingleton<Op>(MlstmInputs.Instance);
        services.AddSingleton<Op>(HeadNorm.Instance);
        services.AddSingleton<Op>(Slstm.Instance);
    }
}
