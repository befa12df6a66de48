namespace Zoo.Host.Plugins;

/// <summary>Paths without links, so that what is checked is what is loaded and one file is found once.</summary>
internal static class RealPath
{
    private const int MostLinks = 40;   // as Linux has it

    /// <summary>The full path with every link on the way replaced by what it leads to.</summary>
    /// <exception cref="IOException">Links lead in a circle, or to nothing.</exception>
    public static string Of(string path)
    {
        var rest = new Stack<string>();
        var links = 0;
        var resolved = Start(Path.GetFullPath(path), rest);
        while (rest.TryPop(out var segment))
        {
            var next = Path.Combine(resolved, segment);
            if (new FileInfo(next).LinkTarget is { } target)
            {
                if (++links > MostLinks)
                    throw new IOException($"'{path}' is a link that leads in a circle");
                resolved = Start(Path.GetFullPath(target, resolved), rest);
            }
            else
            {
                resolved = next;
            }
        }
        if (links > 0 && !Path.Exists(resolved))
            throw new IOException($"'{path}' is a link to '{resolved}', which does not exist");
        return resolved;
    }

    /// <summary>Puts the path's segments on the stack, first on top, and returns its root.</summary>
    private static string Start(string fullPath, Stack<string> rest)
    {
        var root = Path.GetPathRoot(fullPath)!;
        foreach (var segment in fullPath[root.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries).Reverse())
            rest.Push(segment);
        return root;
    }
}
