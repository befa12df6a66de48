namespace Zoo.Tests;

/// <summary>Where this repository and optional data lie.</summary>
internal static class Repository
{
    /// <summary>The folder of Zoo.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>A data set that may be there, below ZOO_DATA or below shared/data beside the repository, or the test is skipped.</summary>
    public static string DataOrIgnore(string name)
    {
        string?[] roots = [Environment.GetEnvironmentVariable("ZOO_DATA"), Path.Combine(Root, "..", "shared", "data")];
        var found = roots.OfType<string>().Select(root => Path.Combine(root, name)).FirstOrDefault(Directory.Exists);
        if (found is null)
            Assert.Ignore($"There is no folder '{name}' below ZOO_DATA or below shared/data beside the repository.");
        return found!;
    }

    private static string FindRoot()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Zoo.sln")))
                return folder;
        }
        throw new InvalidOperationException($"There is no Zoo.sln above {AppContext.BaseDirectory}.");
    }
}
