namespace Zoo.Tests.Data;

/// <summary>The real sets, where the machine has them: the folder that ZOO_DATA names, or shared/data beside the repository.</summary>
internal static class RealData
{
    /// <summary>A folder below the real data; the test is ignored where it is missing.</summary>
    public static string Folder(string name)
    {
        var root = Environment.GetEnvironmentVariable("ZOO_DATA") ?? BesideRepository();
        var folder = root is null ? null : Path.Combine(root, name);
        if (folder is null || !Directory.Exists(folder))
            Assert.Ignore($"No {name} here: set ZOO_DATA to a folder that has {name}/.");
        return folder!;
    }

    private static string? BesideRepository()
    {
        for (var folder = new DirectoryInfo(TestContext.CurrentContext.TestDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Zoo.sln")))
                return folder.Parent is { } parent ? Path.Combine(parent.FullName, "shared", "data") : null;
        }
        return null;
    }
}
