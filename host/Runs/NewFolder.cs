namespace Zoo.Host.Runs;

/// <summary>A folder that is made for what is written into it.</summary>
internal static class NewFolder
{
    /// <summary>Makes a folder where it is missing and writes; where that fails, what was made goes again.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="write">Removes what it wrote itself if it throws.</param>
    /// <returns>What <paramref name="write"/> gives.</returns>
    public static T Fill<T>(string path, Func<T> write)
    {
        var made = new List<string>();
        for (var missing = Path.GetFullPath(path); !Path.Exists(missing) && Path.GetDirectoryName(missing) is { } above; missing = above)
            made.Add(missing);
        try
        {
            Directory.CreateDirectory(path);
            return write();
        }
        catch
        {
            Remove(made);
            throw;
        }
    }

    private static void Remove(IEnumerable<string> innermostFirst)
    {
        try
        {
            foreach (var folder in innermostFirst.Where(Directory.Exists))
                Directory.Delete(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // somebody else has written there meanwhile, and the first failure is the one to report
        }
    }
}
