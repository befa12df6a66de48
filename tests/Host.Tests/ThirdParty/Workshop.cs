using System.Xml.Linq;

namespace Zoo.Tests.ThirdParty;

/// <summary>
/// A third party's folder outside the repository. NuGet unpacks Zoo.Contracts into it, never into the user's cache, where an older
/// package of the same version could lie and would be taken instead; everything else is read from that cache where it is there.
/// </summary>
internal sealed class Workshop : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("zoo-third-party-");

    public Workshop()
    {
        Directory.CreateDirectory(Folder);
        Directory.CreateDirectory(Logs);
        var cache = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } named
            ? named
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        var useCache = Directory.Exists(cache) && !Directory.Exists(Path.Combine(cache, "zoo.contracts"));   // or all is downloaded anew
        new XElement("Project",
            new XElement("PropertyGroup",
                new XElement("RestorePackagesPath", Packages),
                new XElement("RestoreFallbackFolders", useCache ? cache : "clear"),
                new XElement("TreatWarningsAsErrors", true),   // a third party may have it, and then NuGet's warnings count too
                new XElement("NuGetAudit", false)))            // asks the network, and is about the world rather than the package
            .Save(Path.Combine(_root.FullName, "Directory.Build.props"));
    }

    /// <summary>Where the third party works.</summary>
    public string Folder => Path.Combine(_root.FullName, "work");

    /// <summary>Where NuGet unpacks what the user's cache lacks.</summary>
    public string Packages => Path.Combine(_root.FullName, "packages");

    /// <summary>What each step printed.</summary>
    public string Logs => Path.Combine(_root.FullName, "logs");

    /// <summary>Runs a script in <see cref="Folder"/>.</summary>
    /// <returns>The exit code.</returns>
    public int Run(string script)
    {
        var file = Path.Combine(_root.FullName, "script.sh");
        File.WriteAllText(file, script);
        return Shell.Run(file, Folder, Path.Combine(_root.FullName, "home"));
    }

    public void Dispose() => _root.Delete(recursive: true);
}
