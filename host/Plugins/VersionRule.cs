using System.Reflection;
using Zoo.Native;

namespace Zoo.Host.Plugins;

/// <summary>
/// Which plugins fit this host. Before 1.0 the contract's major and minor version must be the host's; from 1.0 on the major must be, and
/// the minor may be older. A pre-release fits itself alone. TorchSharp's version must be the host's exactly: its types cross the boundary.
/// </summary>
internal static class VersionRule
{
    /// <summary>The contract's version in this host.</summary>
    public static string HostContract { get; } =
        typeof(UserException).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    /// <summary>Refuses a plugin that was built against versions that do not fit.</summary>
    /// <exception cref="PluginRefusedException">They do not.</exception>
    public static void Require(PluginMetadata plugin)
    {
        if (plugin.Contract is null || plugin.TorchSharp is null)
        {
            throw new PluginRefusedException("it is not a Zoo plugin: the versions that the Zoo.Contracts package writes into a plugin are " +
                "not in it. Build it with that package; what a plugin merely needs belongs into a folder named like the plugin, beside its DLL.");
        }
        if (!ContractFits(plugin.Contract, HostContract))
        {
            var (minor, hostMinor) = (Minor(plugin.Contract), Minor(HostContract));
            throw new PluginRefusedException(minor is null
                ? $"'{plugin.Contract}' is no version, and that is the Zoo.Contracts version it was built against. Build it again."
                : $"it needs Zoo.Contracts {plugin.Contract} and this host has {HostContract}. " +
                    $"Use {plugin.Name} built for {hostMinor}, or a host that provides {minor}.");
        }
        if (plugin.TorchSharp != LibTorch.TorchSharpVersion)
        {
            throw new PluginRefusedException($"it was built against TorchSharp {plugin.TorchSharp} and this host has " +
                $"{LibTorch.TorchSharpVersion}. Build it again with this host's Zoo.Contracts, which brings the right one.");
        }
    }

    /// <summary>Whether a plugin built against one contract version runs on a host with another.</summary>
    internal static bool ContractFits(string plugin, string host)
    {
        if (!TryParse(plugin, out var needed, out var neededPreview) || !TryParse(host, out var provided, out var providedPreview))
            return false;
        if (neededPreview || providedPreview)
            return plugin == host;
        return needed.Major == provided.Major
            && (needed.Major == 0 ? needed.Minor == provided.Minor : needed.Minor <= provided.Minor);
    }

    private static string? Minor(string version) =>
        TryParse(version, out var parsed, out var preview) ? preview ? version : $"{parsed.Major}.{parsed.Minor}" : null;

    private static bool TryParse(string text, out Version version, out bool isPreview)
    {
        var dash = text.IndexOf('-');
        isPreview = dash >= 0;
        version = new Version();
        if (!Version.TryParse(isPreview ? text[..dash] : text, out var parsed))
            return false;
        version = parsed;
        return true;
    }
}
