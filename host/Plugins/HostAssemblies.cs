namespace Zoo.Host.Plugins;

/// <summary>What the host gives to plugins.</summary>
internal static class HostAssemblies
{
    /// <summary>Assemblies whose types cross the boundary between host and plugins, so that both must have the same ones.</summary>
    public static IReadOnlyList<string> Shared { get; } =
    [
        "Zoo.Contracts", "TorchSharp",
        "Microsoft.Extensions.DependencyInjection.Abstractions", "Microsoft.Extensions.Logging.Abstractions",
    ];

    private static readonly HashSet<string> Installed = new(
        (AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES") as string ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries).Select(path => Path.GetFileNameWithoutExtension(path)),
        StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether the program or the .NET runtime brings the assembly of that name.</summary>
    public static bool Has(string assembly) => Installed.Contains(assembly);

    /// <summary>Whether the package of that name comes with the host, its native libraries included.</summary>
    public static bool BringsPackage(string package) =>
        package is "Zoo.Contracts" or "TorchSharp"
        || package.StartsWith("libtorch-", StringComparison.OrdinalIgnoreCase)
        || package.StartsWith("SkiaSharp", StringComparison.OrdinalIgnoreCase);
}
