using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Zoo.Files;

namespace Zoo.Data;

/// <summary>
/// Reads the text files zip.train and zip.test of the USPS set, plain or gzip (told by content): a line a digit, first its label, then
/// 16 × 16 values from -1 (empty paper) to 1 (full ink), separated by blanks.
/// </summary>
public static class UspsFile
{
    private const int ValueCount = UspsDigits.Side * UspsDigits.Side;
    private const int LongestLineBytes = 16 * 1024;   // the set's own lines have about 1,700
    private const int MostDigits = 1_000_000;

    /// <summary>Reads one file.</summary>
    /// <param name="path">A file such as zip.train.gz.</param>
    /// <param name="source">What the run's record says of it; null for the path.</param>
    /// <exception cref="BadFileException">The file is missing, damaged or of another format; the message names line and column.</exception>
    public static UspsDigits Read(string path, string? source = null)
    {
        using var file = new DataFile(path);
        var pixels = new List<float>();
        var labels = new List<byte>();
        var buffer = new byte[4 * LongestLineBytes];
        int filled = 0, line = 0;
        for (var atEnd = false; !atEnd;)
        {
            var read = file.Read(buffer.AsSpan(filled));
            atEnd = filled + read < buffer.Length;
            filled += read;
            var start = 0;
            while (start < filled)
            {
                var length = buffer.AsSpan(start, filled - start).IndexOf((byte)'\n');
                if (length < 0 && !atEnd && filled - start <= LongestLineBytes)
                    break;   // the rest of this line comes with the next block
                if (length < 0)
                    length = filled - start;
                line++;
                if (length > LongestLineBytes)
                    throw new BadFileException($"'{path}', line {line}, is longer than {LongestLineBytes:N0} bytes; a line of USPS's " +
                        $"format is a label and {ValueCount} values.");
                ReadLine(path, line, buffer.AsSpan(start, length), pixels, labels);
                start += length + 1;
            }
            start = Math.Min(start, filled);
            buffer.AsSpan(start, filled - start).CopyTo(buffer);
            filled -= start;
        }
        if (labels.Count == 0)
            throw new BadFileException($"'{path}' is empty; a file of USPS's format has one digit a line.");
        return new UspsDigits([.. pixels], [.. labels], source ?? path);
    }

    private static void ReadLine(string path, int lineNumber, ReadOnlySpan<byte> line, List<float> pixels, List<byte> labels)
    {
        if (line.IndexOfAnyExcept(" \t\r"u8) < 0)
            return;
        if (labels.Count == MostDigits)
            throw new BadFileException($"'{path}' has more than {MostDigits:N0} digits; it is not a file of the USPS set.");
        var at = pixels.Count;
        CollectionsMarshal.SetCount(pixels, at + ValueCount);
        var values = CollectionsMarshal.AsSpan(pixels)[at..];
        int column = 0, count = 0;
        while (true)
        {
            while (column < line.Length && line[column] is (byte)' ' or (byte)'\t' or (byte)'\r')
                column++;
            if (column == line.Length)
                break;
            var length = line[column..].IndexOfAny(" \t\r"u8);
            var word = length < 0 ? line[column..] : line.Slice(column, length);
            var isNumber = float.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out var value);
            string? problem = !isNumber ? $"'{Quote(word)}' is not a number"
                : count == 0 && (value is not (>= 0 and <= 9) || value != MathF.Floor(value)) ? $"{Quote(word)} is not a label; a " +
                    $"digit's is 0 to 9"
                : count > ValueCount ? $"there are more than {ValueCount} values after the label"
                : count > 0 && value is not (>= -1 and <= 1) ? $"{Quote(word)} is not within -1 and 1"
                : null;
            if (problem is not null)
                throw new BadFileException($"'{path}', line {lineNumber}, column {column + 1}: {problem}. A line of USPS's format is a " +
                    $"label and {ValueCount} values.");
            if (count == 0)
                labels.Add((byte)value);
            else
                values[count - 1] = value;
            count++;
            column += word.Length;
        }
        if (count != ValueCount + 1)
            throw new BadFileException($"'{path}', line {lineNumber}, ends at column {column + 1} after {count - 1} of {ValueCount} " +
                $"values; the file is truncated or of another format.");
    }

    /// <summary>A piece of the file as it may stand in a message: short and printable.</summary>
    private static string Quote(ReadOnlySpan<byte> word)
    {
        var text = new StringBuilder();
        foreach (var c in word[..Math.Min(word.Length, 20)])
            text.Append(c is >= 0x20 and < 0x7f ? (char)c : '?');
        return word.Length > 20 ? text.Append('…').ToString() : text.ToString();
    }
}
