using Microsoft.Extensions.DependencyInjection;

namespace Zoo.Faulty;

/// <summary>Its ConfigureServices throws.</summary>
public sealed class ThrowingServicesPlugin : IZooPlugin
{
    public void ConfigureServices(IServiceCollection services) => throw new NotSupportedException("no services on this machine");
}
