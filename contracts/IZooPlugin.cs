using Microsoft.Extensions.DependencyInjection;

namespace Zoo;

/// <summary>
/// For a plugin that adds more than architectures: ops, tasks, data sets, recipes. At most one a DLL, with a public constructor without
/// parameters. Architectures need no registration.
/// </summary>
public interface IZooPlugin
{
    /// <summary>
    /// Registers what the plugin adds, as singletons of the contract's types: <see cref="Kernels.Op"/>, <see cref="Tasks.ITask"/>.
    /// </summary>
    void ConfigureServices(IServiceCollection services);
}
