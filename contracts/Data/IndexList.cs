using System.Globalization;
using Zoo.Files;

namespace Zoo.Data;

/// <summary>Reads lists that choose examples of a set, such as train-indices.txt: one number a line, counted from 0, none twice.</summary>
public static class IndexList
{
    /// <summary>Reads a list.</summary>
    /// <param name="path">The text file.</param>
    /// <param name="count">How many examples the set has: numbers are below it.</param>
    /// <exception cref="BadFileException">The file is missing or a line is no number of an example; the message names the line.</exception>
    public static int[] Read(string path, int count)
    {
        var lineOf = new Dictionary<int, int>();
        var indices = new List<int>();
        var number = 0;
        foreach (var line in Lines(path, longest: 12 * (long)count + 1024))
        {
            number++;
            var text = line.Trim();
            if (text.Length == 0)
                continue;
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
                throw new BadFileException($"'{path}', line {number}: '{Shorten(text)}' is not a number; write one number of an example " +
                    $"a line, counted from 0.");
            if (index >= count)
                throw new BadFileException($"'{path}', line {number}: there is no example {index}; the set has {count:N0}, counted from " +
                    $"0.");
            if (!lineOf.TryAdd(index, number))
                throw new BadFileException($"'{path}', line {number}: example {index} is already on line {lineOf[index]}; name each once.");
            indices.Add(index);
        }
        return indices.Count > 0 ? [.. indices] : throw new BadFileException($"'{path}' is empty; write one number of an example a " +
            $"line, counted from 0.");
    }

    /// <param name="path">The file.</param>
    /// <param name="longest">A list of distinct numbers cannot have more bytes; what is longer is not read.</param>
    private static string[] Lines(string path, long longest)
    {
        using var file = new DataFile(path);
        var problem = file.IsPacked ? "it is gzip" : file.StoredBytes > longest ? $"it has {file.StoredBytes:N0} bytes" : null;
        if (problem is not null)
            throw new BadFileException($"'{path}' is no list of examples: {problem}; write one number a line, as plain text.");
        var bytes = new byte[(int)file.StoredBytes];
        var read = file.Read(bytes);
        var text = System.Text.Encoding.UTF8.GetString(bytes, 0, read).TrimStart('\ufeff');
        return text.Split('\n');
    }

    private static string Shorten(string text)
    {
        var shown = string.Concat(text.Take(20).Select(c => c is >= ' ' and < '\u007f' ? c : '?'));
        return text.Length > 20 ? shown + "…" : shown;
    }
}
