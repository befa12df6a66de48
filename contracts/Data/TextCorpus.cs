using System.Collections;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Zoo.Files;
using Zoo.Tasks;

namespace Zoo.Data;

/// <summary>
/// Text in memory, from a file or a folder. Of a folder every file counts, also in folders below it, in the order of their paths, one after
/// the other with nothing in between; names that start with a dot and links to folders are passed over.
/// </summary>
public sealed class TextCorpus
{
    /// <summary>The most bytes that are read.</summary>
    public const long MostBytes = 1L << 29;

    private const int MostFiles = 100_000;

    private readonly IReadOnlyList<(string Path, long Start)> _files;

    private TextCorpus(byte[] bytes, string source, IReadOnlyList<(string Path, long Start)> files) =>
        (Bytes, Source, _files) = (bytes, source, files);

    /// <summary>The bytes as they are stored, without a byte order mark.</summary>
    public byte[] Bytes { get; }

    /// <summary>Where they come from, for the run's record: "tinyshakespeare.txt", "12 files in books".</summary>
    public string Source { get; }

    /// <summary>The start of the bytes' SHA-256, sixteen hexadecimal digits: tells one text from another.</summary>
    public string Fingerprint => Convert.ToHexStringLower(SHA256.HashData(Bytes).AsSpan(0, 8));

    /// <summary>A corpus of generated text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="source">What it is, for the run's record.</param>
    public static TextCorpus Of(string text, string source) => new(Encoding.UTF8.GetBytes(text), source, []);

    /// <summary>Reads a file, or every file of a folder.</summary>
    /// <exception cref="BadFileException">
    /// It is missing, empty or not readable, or there are more than <see cref="MostBytes"/>; sizes are looked at before anything is read.
    /// </exception>
    public static TextCorpus Read(string path)
    {
        var isFolder = Directory.Exists(path);
        var files = (isFolder ? FilesIn(path)
            : File.Exists(path) ? [Path.GetFullPath(path)]
            : throw new BadFileException($"'{path}' does not exist; name a text file, or a folder of them."))
            .ConvertAll(file => (Path: file, Length: Length(file)));
        var total = files.Sum(file => file.Length);
        if (total == 0)
            throw new BadFileException(!isFolder ? $"'{path}' is empty; name a file with text."
                : files.Count == 0 ? $"'{path}' has no files; name a folder with text files."
                : $"'{path}' has {Files(files.Count)}, all empty; name a folder with text files.");
        if (total > MostBytes)
        {
            throw new BadFileException($"'{path}' has {total:N0} bytes of text, and at most {MostBytes:N0} are read into memory; name a part of " +
                "it.");
        }
        var bytes = new byte[total];
        var starts = new List<(string, long)>();
        var end = 0;
        foreach (var (file, length) in files.Where(file => file.Length > 0))
        {
            starts.Add((file, end));
            Fill(file, bytes.AsSpan(end, (int)length));
            end += (int)length;
        }
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        var corpus = WithoutMarks(bytes, isFolder ? $"{Files(files.Count)} in {name}" : name, starts);
        return corpus.Bytes.Length > 0 ? corpus : throw new BadFileException($"'{path}' has a byte order mark and nothing else; name a {(isFolder ? "folder with text files" : "file with text")}.");
    }

    /// <summary>The characters as ids of an encoding that has just those that occur.</summary>
    /// <param name="encoding">The encoding.</param>
    /// <exception cref="BadFileException">The bytes are no UTF-8 text, or there are too many characters; the message names file and byte.</exception>
    public ushort[] Characters(out CharacterEncoding encoding)
    {
        var seen = new BitArray(0x110000);
        var count = 0;
        for (var at = 0; at < Bytes.Length; count++)
            seen[Next(ref at).Value] = true;
        var symbols = Enumerable.Range(0, seen.Length).Where(code => seen[code]).Select(code => new Rune(code)).ToList();
        if (symbols.Count > CharacterEncoding.MostSymbols)
        {
            throw new BadFileException($"{Source} has {symbols.Count:N0} different characters, and at most {CharacterEncoding.MostSymbols:N0} are " +
                "told apart; use the task byte-lm.");
        }
        encoding = new CharacterEncoding(symbols);
        var ids = new ushort[count];
        for (int at = 0, i = 0; at < Bytes.Length; i++)
            ids[i] = (ushort)encoding.IdOf(Next(ref at));
        return ids;
    }

    private Rune Next(ref int at)
    {
        if (Bytes[at] is > 0 and < 0x80)
            return new Rune((char)Bytes[at++]);
        if (Bytes[at] == 0 || Rune.DecodeFromUtf8(Bytes.AsSpan(at), out var rune, out var length) != System.Buffers.OperationStatus.Done)
            throw NoText(at);
        at += length;
        return rune;
    }

    private BadFileException NoText(int at)
    {
        var (path, start) = _files.LastOrDefault(f => f.Start <= at, (Source, 0));
        var what = Bytes.AsSpan((int)start).StartsWith<byte>([0xff, 0xfe]) || Bytes.AsSpan((int)start).StartsWith<byte>([0xfe, 0xff])
            ? "it looks like UTF-16"
            : string.Create(CultureInfo.InvariantCulture, $"byte {at - start:N0} is 0x{Bytes[at]:x2}");
        return new BadFileException($"'{path}' is no UTF-8 text: {what}. Save it as UTF-8, take it out, or use the task byte-lm.");
    }

    /// <summary>Leaves out the byte order marks at the starts of files.</summary>
    private static TextCorpus WithoutMarks(byte[] bytes, string source, List<(string Path, long Start)> files)
    {
        ReadOnlySpan<byte> mark = [0xef, 0xbb, 0xbf];
        var kept = new List<(string, long)>();
        var (end, ends) = (0, files.Skip(1).Select(f => f.Start).Append(bytes.Length));
        foreach (var ((path, start), stop) in files.Zip(ends))
        {
            var part = bytes.AsSpan((int)start, (int)(stop - start));
            part = part.StartsWith(mark) ? part[mark.Length..] : part;
            kept.Add((path, end));
            part.CopyTo(bytes.AsSpan(end));
            end += part.Length;
        }
        return new TextCorpus(end == bytes.Length ? bytes : bytes[..end], source, kept);
    }

    private static List<string> FilesIn(string path)
    {
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            AttributesToSkip = FileAttributes.Hidden | FileAttributes.System,
            IgnoreInaccessible = false,
        };
        try
        {
            var found = new System.IO.Enumeration.FileSystemEnumerable<string>(path, (ref entry) => entry.ToFullPath(), options)
            {
                ShouldIncludePredicate = (ref entry) => !entry.IsDirectory,
                ShouldRecursePredicate = (ref entry) => !entry.Attributes.HasFlag(FileAttributes.ReparsePoint),
            };
            var files = found.Take(MostFiles + 1).ToList();
            if (files.Count > MostFiles)
                throw new BadFileException($"'{path}' has more than {MostFiles:N0} files; name a smaller folder, or join them.");
            files.Sort(StringComparer.Ordinal);
            return files;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException($"'{path}' cannot be listed: {FileTrouble.Words(e)}", e);
        }
    }

    /// <summary>A file's size; a link's is that of its target.</summary>
    private static long Length(string file)
    {
        try
        {
            var info = new FileInfo(file);
            return info.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target ? target.Length : info.Length;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException($"'{file}' cannot be read: {FileTrouble.Words(e)}", e);
        }
    }

    private static void Fill(string file, Span<byte> part)
    {
        try
        {
            using var stream = File.OpenRead(file);
            stream.ReadExactly(part);
        }
        catch (EndOfStreamException e)
        {
            throw new BadFileException($"'{file}' became shorter while it was read; try again.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException($"'{file}' cannot be read: {FileTrouble.Words(e)}", e);
        }
    }

    private static string Files(int count) => count == 1 ? "1 file" : $"{count:N0} files";
}
