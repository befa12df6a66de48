namespace Zoo.Tests.ThirdParty;

/// <summary>Where the repository and the program under test lie, seen from the test's own output folder.</summary>
internal static class Checkout
{
    /// <summary>The repository's root.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The folder of the built program, of the configuration that the tests were built in.</summary>
    public static string Program { get; } =
        Path.Combine(Root, "host", Path.GetRelativePath(Path.Combine(Root, "tests", "Host.Tests"), AppContext.BaseDirectory));

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Zoo.sln")))
                return folder.FullName;
        }
        throw new InvalidOperationException($"There is no Zoo.sln above {AppContext.BaseDirectory}.");
    }
}
