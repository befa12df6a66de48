using Zoo.Files;

namespace Zoo.Host.Verification;

/// <summary>Finds golden cases.</summary>
internal static class GoldenFiles
{
    private const string Pattern = "*.safetensors";

    /// <summary>Folder of a plugin's own cases, beside its DLL.</summary>
    public const string PluginFolder = "golden";

    /// <summary>
    /// The files that `--golden` names, or that are in a folder which it names. One that is no case among others that are shows when it is run.
    /// </summary>
    /// <exception cref="BadFileException">A path does not exist, a folder holds none, or not one of all files is a case.</exception>
    public static IReadOnlyList<string> Named(IEnumerable<string> paths)
    {
        var files = new List<string>();
        foreach (var path in paths)
        {
            if (!Directory.Exists(path))
            {
                files.Add(File.Exists(path) ? path : throw new BadFileException($"--golden {path}: there is no such file or folder."));
                continue;
            }
            var inside = InFolder(path);
            if (inside.Count == 0)
                throw new BadFileException($"--golden {path}: the folder holds no {Pattern} file.");
            files.AddRange(inside);
        }
        var problems = files.Select(ProblemOf).ToList();
        return files.Count == 0 || problems.Contains(null) ? files : throw new BadFileException(string.Join('\n', problems));
    }

    /// <summary>The files of cases that lie beside a plugin.</summary>
    /// <exception cref="BadFileException">The folder cannot be read.</exception>
    public static IReadOnlyList<string> OfPlugin(string folder)
    {
        var golden = Path.Combine(folder, PluginFolder);
        return Directory.Exists(golden) ? InFolder(golden) : [];
    }

    /// <summary>Why a file is no case; null where it is one.</summary>
    private static string? ProblemOf(string file)
    {
        try
        {
            GoldenCase.Open(file);
            return null;
        }
        catch (BadFileException e)
        {
            return e.Message;
        }
    }

    private static List<string> InFolder(string folder)
    {
        try
        {
            return [.. Directory.EnumerateFiles(folder, Pattern).Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException($"The folder '{folder}' cannot be read: {FileTrouble.Words(e)}", e);
        }
    }
}
