using System.Text.Json;

namespace Zoo.Files;

/// <summary>A model's tensors in several safetensors files, with an index that says which tensor is where.</summary>
internal static class SafeTensorsShards
{
    /// <summary>How an index's name ends.</summary>
    public const string IndexEnding = ".safetensors.index.json";

    private const string Ending = ".safetensors";

    /// <summary>Reads an index and opens every file that it names.</summary>
    /// <returns>The file of each tensor, in the index's order. The caller disposes the files.</returns>
    /// <exception cref="BadFileException">The index is malformed, or it and the files disagree; the message names file and tensors.</exception>
    public static OrderedDictionary<string, SafeTensorsFile> Open(string indexPath)
    {
        var map = ReadIndex(indexPath);
        var folder = Path.GetDirectoryName(Path.GetFullPath(indexPath))!;
        var files = new Dictionary<string, SafeTensorsFile>(StringComparer.Ordinal);
        try
        {
            var missing = map.Values.Distinct().Where(shard => !File.Exists(Path.Combine(folder, shard))).ToList();
            if (missing.Count > 0)
            {
                var verb = missing.Count == 1 ? "is" : "are";
                throw new BadFileException($"'{indexPath}' names {Few(missing)}, which {verb} not beside it. Fetch the missing files.");
            }
            foreach (var shard in map.Values.Distinct())
                files.Add(shard, SafeTensorsFile.Open(Path.Combine(folder, shard)));
            const string apart = "Index and files do not belong together.";
            foreach (var (shard, file) in files)
            {
                var absent = map.Where(m => m.Value == shard && file.Find(m.Key) is null).Select(m => m.Key).ToList();
                if (absent.Count > 0)
                    throw new BadFileException($"'{indexPath}' says that {shard} holds {Few(absent)}, and it does not. {apart}");
                var unlisted = file.Names.Where(name => map.GetValueOrDefault(name) != shard).ToList();
                if (unlisted.Count > 0)
                    throw new BadFileException($"{shard} holds {Few(unlisted)}, which '{indexPath}' does not place there. {apart}");
            }
        }
        catch
        {
            foreach (var file in files.Values)
                file.Dispose();
            throw;
        }
        var located = new OrderedDictionary<string, SafeTensorsFile>(StringComparer.Ordinal);
        foreach (var (name, shard) in map)
            located.Add(name, files[shard]);
        return located;
    }

    private static OrderedDictionary<string, string> ReadIndex(string path)
    {
        using var document = ParseIndex(path);
        if (document.RootElement.ValueKind != JsonValueKind.Object
            || !document.RootElement.TryGetProperty("weight_map", out var weights) || weights.ValueKind != JsonValueKind.Object)
            throw Malformed(path, "it has no object 'weight_map'");
        var map = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        try
        {
            foreach (var entry in weights.EnumerateObject())
            {
                var shard = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString()! : null;
                if (shard is null || !Names.IsValid(shard) || !shard.EndsWith(Ending, StringComparison.Ordinal))
                {
                    var (tensor, place) = (SafeTensorsHeader.Quote(entry.Name), SafeTensorsHeader.Quote(entry.Value.GetRawText()));
                    throw Malformed(path, $"tensor {tensor} is placed in {place}; that must be the name of a {Ending} file beside the index, " +
                        "of letters, digits, '.', '_' and '-'");
                }
                if (!map.TryAdd(entry.Name, shard))
                    throw Malformed(path, $"it lists tensor {SafeTensorsHeader.Quote(entry.Name)} twice");
            }
        }
        catch (InvalidOperationException e)   // a \u escape that is half a surrogate pair
        {
            throw Malformed(path, "it holds text that is not Unicode", e);
        }
        return map.Count > 0 ? map : throw Malformed(path, "its 'weight_map' is empty");
    }

    private static JsonDocument ParseIndex(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (stream.Length > SafeTensorsHeader.MaximumBytes)
                throw Malformed(path, $"it has {stream.Length} bytes; at most {SafeTensorsHeader.MaximumBytes} are read");
            return JsonDocument.Parse(stream, new JsonDocumentOptions { MaxDepth = 16 });
        }
        catch (JsonException e)
        {
            throw Malformed(path, $"it is not JSON (line {e.LineNumber + 1})", e);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BadFileException($"There is no file '{path}'.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException($"'{path}' cannot be read: {FileTrouble.Words(e)}", e);
        }
    }

    private static string Few(List<string> names)
    {
        const int most = 5;
        var shown = string.Join(", ", names.Take(most).Select(SafeTensorsHeader.Quote));
        return names.Count > most ? $"{shown} and {names.Count - most} more" : shown;
    }

    private static BadFileException Malformed(string path, string what, Exception? inner = null) =>
        new($"'{path}' is not a valid index of safetensors files: {what}. Fetch or write it again.", inner);
}
