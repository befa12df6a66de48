using Zoo.Files;

namespace Zoo.Host.Verification;

/// <summary>Finds golden cases.</summary>
internal static class GoldenFiles
{
    private const string Pattern = "*.safetensors";

    /// <summary>Folder of a plugin's own cases, beside its DLL.</summary>
    public const string PluginFolder = "golden";

    /// <summary>The cases that `--golden` names: files, or folders with all that is in them.</summary>
    /// <exception cref="BadFileException">A path does not exist or holds none, or a file is no case; every such file is named.</exception>
    public static IReadOnlyList<GoldenCase> Named(IEnumerable<string> paths)
    {
        var files = new List<string>();
        foreach (var path in paths)
        {
            if (!Directory.Exists(path))
            {
                files.Add(path);
                continue;
            }
            var inside = InFolder(path);
            if (inside.Count == 0)
                throw new BadFileException($"--golden {path}: the folder holds no {Pattern} file.");
            files.AddRange(inside);
        }
        return OpenAll(files);
    }

    /// <summary>The files of cases that lie beside a plugin.</summary>
    /// <exception cref="BadFileException">The folder cannot be read.</exception>
    public static IReadOnlyList<string> OfPlugin(string folder)
    {
        var golden = Path.Combine(folder, PluginFolder);
        return Directory.Exists(golden) ? InFolder(golden) : [];
    }

    private static List<GoldenCase> OpenAll(IEnumerable<string> files)
    {
        var (cases, problems) = (new List<GoldenCase>(), new List<BadFileException>());
        foreach (var file in files)
        {
            try
            {
                cases.Add(GoldenCase.Open(file));
            }
            catch (BadFileException e)
            {
                problems.Add(e);
            }
        }
        return problems.Count switch
        {
            0 => cases,
            1 => throw problems[0],
            _ => throw new BadFileException(string.Join('\n', problems.Select(p => p.Message)), problems[0]),
        };
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
