using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Zoo.Host.Plugins;

/// <summary>What to load, and what plugins are given.</summary>
/// <param name="Folders">Where to look, first the ones that go first.</param>
internal sealed record PluginSearch(IReadOnlyList<PluginFolder> Folders)
{
    /// <summary>Names of the host's own tasks, which no plugin may take.</summary>
    public IReadOnlyCollection<string> HostTasks { get; init; } = [];

    /// <summary>Where plugins' logs go.</summary>
    public ILoggerFactory Loggers { get; init; } = NullLoggerFactory.Instance;
}
