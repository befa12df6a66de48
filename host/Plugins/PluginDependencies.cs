using System.Runtime.InteropServices;
using System.Text.Json;
using Zoo.Files;

namespace Zoo.Host.Plugins;

/// <summary>Whether everything that a plugin needs is there, found out before any of its code is loaded.</summary>
internal static class PluginDependencies
{
    /// <summary>Refuses a plugin that carries what the host must share, or lacks what its references and its deps.json name.</summary>
    /// <exception cref="PluginRefusedException">A file is there that must not be, or the other way round.</exception>
    public static void Require(PluginCandidate candidate, PluginMetadata metadata)
    {
        if (candidate.HasOwnFolder)
            RequireNoPrivateCopies(candidate);
        RequireRuntime(metadata);

        var listed = Listed(candidate);
        var unmet = metadata.Needs
            .Where(need => !HostAssemblies.Has(need.Name) && !listed.Managed.Contains(need.Name)
                && !File.Exists(Path.Combine(candidate.Folder, need.Name + ".dll"))).ToList();
        var missing = unmet.Select(need => $"{need.Name} {need.Version}")
            .Concat(listed.MissingManaged.Where(name => unmet.TrueForAll(need => need.Name != name))).ToList();
        if (missing.Count > 0)
        {
            throw new PluginRefusedException($"it needs {string.Join(" and ", missing)}, which is not in '{candidate.Folder}'. " +
                "Copy all that the plugin's build gave into a folder of its name, not the DLL alone.");
        }
        if (listed.MissingNative.Count > 0)
        {
            throw new PluginRefusedException($"it needs the native library {string.Join(" and ", listed.MissingNative)}, which is not in " +
                $"'{candidate.Folder}'. Copy all that the plugin's build gave, its 'runtimes' folder included.");
        }
    }

    /// <summary>A private copy's types are not the host's: no error would follow, the plugin would merely look empty.</summary>
    private static void RequireNoPrivateCopies(PluginCandidate candidate)
    {
        foreach (var name in HostAssemblies.Shared)
        {
            var copy = Path.Combine(candidate.Folder, name + ".dll");
            if (File.Exists(copy))
            {
                throw new PluginRefusedException($"it carries its own '{name}.dll', whose types are not this host's. " +
                    $"Delete '{copy}', or build the plugin with the Zoo.Contracts package, which leaves it out.");
            }
        }
    }

    private static void RequireRuntime(PluginMetadata metadata)
    {
        var runtime = metadata.Needs.FirstOrDefault(need => need.Name == "System.Runtime")?.Version;
        if (runtime is not null && runtime.Major > Environment.Version.Major)
        {
            throw new PluginRefusedException($"it was built for .NET {runtime.Major}.{runtime.Minor} and this host runs on " +
                $".NET {Environment.Version.ToString(2)}. Build it for net{Environment.Version.ToString(2)}.");
        }
    }

    /// <summary>What deps.json lists: assemblies that are there, and what is not.</summary>
    private sealed record Dependencies(HashSet<string> Managed, List<string> MissingManaged, List<string> MissingNative);

    private static Dependencies Listed(PluginCandidate candidate)
    {
        var found = new Dependencies(new(StringComparer.OrdinalIgnoreCase), [], []);
        var path = Path.ChangeExtension(candidate.Path, ".deps.json");
        if (!File.Exists(path))
            return found;
        try
        {
            using var stream = File.OpenRead(path);
            using var document = JsonDocument.Parse(stream);
            var root = document.RootElement;
            var target = root.GetProperty("runtimeTarget").GetProperty("name").GetString()!;
            foreach (var library in root.GetProperty("targets").GetProperty(target).EnumerateObject())
            {
                if (!HostAssemblies.BringsPackage(library.Name.Split('/')[0]))
                    Examine(candidate, library.Value, found);
            }
            return found;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new PluginRefusedException($"'{path}' is damaged: it is not the list of dependencies that a build writes. Build the plugin again.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PluginRefusedException($"'{path}' cannot be read: {FileTrouble.Words(e)}", e);
        }
    }

    private static void Examine(PluginCandidate candidate, JsonElement library, Dependencies found)
    {
        foreach (var asset in Assets(library, "runtime"))
            ExamineManaged(candidate, asset, found);
        foreach (var asset in Assets(library, "native"))
            ExamineNative(candidate, asset, found);
        if (!library.TryGetProperty("runtimeTargets", out var specific))
            return;
        var assets = specific.EnumerateObject()
            .Select(a => (Path: a.Name, Platform: a.Value.GetProperty("rid").GetString()!, Type: a.Value.GetProperty("assetType").GetString()))
            .ToList();
        foreach (var type in (string[])["runtime", "native"])
        {
            // The most specific platform that has any is the one that is used, as the .NET host does it.
            var platform = Platforms.FirstOrDefault(p => assets.Exists(a => a.Platform == p && a.Type == type));
            foreach (var asset in assets.Where(a => a.Platform == platform && a.Type == type))
            {
                if (type == "native")
                    ExamineNative(candidate, asset.Path, found);
                else
                    ExamineManaged(candidate, asset.Path, found);
            }
        }
    }

    private static void ExamineManaged(PluginCandidate candidate, string asset, Dependencies found)
    {
        var name = Path.GetFileNameWithoutExtension(asset);
        if (IsThere(candidate, asset))
            found.Managed.Add(name);
        else if (!HostAssemblies.Has(name))
            found.MissingManaged.Add(name);
    }

    private static void ExamineNative(PluginCandidate candidate, string asset, Dependencies found)
    {
        if (!IsThere(candidate, asset))
            found.MissingNative.Add($"'{asset}'");
    }

    private static IEnumerable<string> Assets(JsonElement library, string kind) =>
        library.TryGetProperty(kind, out var assets)
            ? assets.EnumerateObject().Select(a => a.Name).Where(a => !a.EndsWith("/_._", StringComparison.Ordinal))
            : [];

    /// <summary>A package's assets lie beside the plugin, or under their path in the package.</summary>
    private static bool IsThere(PluginCandidate candidate, string asset) =>
        File.Exists(Path.Combine(candidate.Folder, Path.GetFileName(asset))) || File.Exists(Path.Combine(candidate.Folder, asset));

    /// <summary>This machine's platform names in packages, most specific first.</summary>
    private static IReadOnlyList<string> Platforms { get; } = PlatformNames();

    private static string[] PlatformNames()
    {
        var machine = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        return OperatingSystem.IsWindows() ? [$"win-{machine}", "win", "any"]
            : OperatingSystem.IsMacOS() ? [$"osx-{machine}", "osx", $"unix-{machine}", "unix", "any"]
            : [RuntimeInformation.RuntimeIdentifier, $"linux-{machine}", "linux", $"unix-{machine}", "unix", "any"];
    }
}
