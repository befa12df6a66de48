using System.Text.Encodings.Web;
using System.Text.Json;
using Zoo.Files;

namespace Zoo.Host.Runs;

/// <summary>How the JSON files of a run are written and read.</summary>
internal static class RunJson
{
    private const long MaximumBytes = 64 << 20;

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
        WriteIndented = true,
    };

    /// <summary>Writes a file that appears whole or not at all.</summary>
    /// <exception cref="IOException">The disk is full or the folder is not writable.</exception>
    public static void Write<T>(string path, T value) => AtomicFile.Write(path, JsonSerializer.Serialize(value, Options) + "\n");

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="what">What it should be, for the message: "a run's config".</param>
    /// <exception cref="BadFileException">It is missing, cannot be read, or is not what it should be.</exception>
    public static T Read<T>(string path, string what)
        where T : class
    {
        byte[] bytes = [];
        try
        {
            if (new FileInfo(path).Length > MaximumBytes)
                throw new BadFileException($"'{path}' is not {what}: it has {new FileInfo(path).Length:N0} bytes.");
            bytes = File.ReadAllBytes(path);
            _ = JsonText.Parse(bytes);   // what becomes nodes below is read when it is first looked at, too late to be this file's fault
            return JsonSerializer.Deserialize<T>(bytes, Options)
                ?? throw new BadFileException($"'{path}' is not {what}: it holds null.");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw new BadFileException($"'{path}' is not {what}: {(bytes.Length == 0 ? "it is empty." : Words(e))}", e);
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

    /// <summary>Where the text ends to be JSON, or which value is missing or of another type; .NET's own words name its types.</summary>
    private static string Words(Exception e)
    {
        const string missing = "including: ";
        var at = e.Message.IndexOf(missing, StringComparison.Ordinal);
        return at >= 0 ? $"it lacks {e.Message[(at + missing.Length)..].TrimEnd('.')}."
            : e is not JsonException json ? e.Message
            : json.Path is { Length: > 2 } path ? $"the value of '{path[2..]}' is none that it can have (line {json.LineNumber + 1})."
            : json.LineNumber is { } line ? $"it is not JSON from line {line + 1} on."
            : $"it {JsonText.Words(json)}.";
    }
}
