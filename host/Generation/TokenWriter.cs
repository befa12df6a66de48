using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Zoo.Host.Cli;
using Zoo.Tasks;

namespace Zoo.Host.Generation;

/// <summary>
/// Turns tokens into what a user reads: one text as it comes; several one after the other at the end; with --json a record a token and one a
/// text. Where ids are no text, the ids themselves.
/// </summary>
/// <param name="output">Where it goes.</param>
/// <param name="text">What the ids mean; null where they are no text.</param>
/// <param name="samples">Texts side by side.</param>
internal sealed class TokenWriter(Output output, TextEncoding? text, int samples)
{
    private readonly StringBuilder[] _texts = [.. Enumerable.Range(0, samples).Select(_ => new StringBuilder())];
    private readonly Decoder[] _decoders = [.. Enumerable.Range(0, samples).Select(_ => Encoding.UTF8.GetDecoder())];
    private readonly int[] _counts = new int[samples];
    private string _prompt = "";

    /// <summary>Ids that have a meaning; null where every id is one.</summary>
    public int? VocabSize => text?.VocabSize;

    private bool Streams => samples == 1 && !output.Json;

    /// <summary>The ids of a prompt.</summary>
    /// <param name="typed">As typed; null or empty for the shortest one there is.</param>
    /// <param name="vocabSize">Ids that the model knows.</param>
    /// <exception cref="UserException">It has a character that the model does not know, or is no list of ids.</exception>
    public long[] ReadPrompt(string? typed, int vocabSize)
    {
        if (text is null)
            return ReadIds(typed, vocabSize);
        if (!string.IsNullOrEmpty(typed))
            return text.Encode(typed);
        try
        {
            return text.Encode("\n");
        }
        catch (UserException)
        {
            return [0];   // a text without line ends; its first character is as good a beginning
        }
    }

    /// <summary>Shows the prompt.</summary>
    public void Begin(long[] prompt)
    {
        _prompt = text is null ? string.Join(' ', prompt) : text.Decode(prompt);
        if (Streams)
            Write(text is null ? _prompt + " " : _prompt);
    }

    /// <summary>Shows a token.</summary>
    public void Add(int sample, long id)
    {
        var piece = text is null ? (_counts[sample] > 0 ? " " : "") + id.ToString(CultureInfo.InvariantCulture) : Decode(sample, text.Utf8(id), isEnd: false);
        _counts[sample]++;
        _texts[sample].Append(piece);
        if (Streams)
            Write(piece);
        output.Record(new JsonObject { ["event"] = "token", ["sample"] = sample, ["id"] = id, ["text"] = text is null ? null : piece });
    }

    /// <summary>Shows what is left to show.</summary>
    public void End()
    {
        for (var i = 0; i < samples; i++)
        {
            var rest = Decode(i, [], isEnd: true);
            _texts[i].Append(rest);
            if (Streams)
                Write(rest + "\n");
            else if (!output.Json)
                output.Say($"{(i > 0 ? "\n" : "")}--- {i + 1} of {samples} ---\n{_prompt}{(text is null ? " " : "")}{_texts[i]}");
            output.Record(new JsonObject
            {
                ["event"] = "text",
                ["sample"] = i,
                ["prompt"] = _prompt,
                ["text"] = _texts[i].ToString(),
                ["tokens"] = _counts[i],
            });
        }
    }

    private static void Write(string piece)
    {
        Console.Out.Write(piece);
        Console.Out.Flush();
    }

    private static long[] ReadIds(string? typed, int vocabSize)
    {
        var parts = (typed ?? "").Split([' ', ',', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries);
        var wrong = parts.Where(p => !long.TryParse(p, NumberStyles.None, CultureInfo.InvariantCulture, out var id) || id >= vocabSize).Distinct().ToList();
        if (wrong.Count > 0)
        {
            const int most = 5;
            throw new UserException($"--prompt: this run has no text, so the prompt must be ids from 0 to {vocabSize - 1}, such as \"5 12 7\"; " +
                $"{string.Join(", ", wrong.Take(most).Select(w => $"'{w}'"))}{(wrong.Count > most ? ", …" : "")} {(wrong.Count == 1 ? "is" : "are")} none.");
        }
        return parts.Length == 0 ? [0] : [.. parts.Select(p => long.Parse(p, CultureInfo.InvariantCulture))];
    }

    private string Decode(int sample, ReadOnlySpan<byte> bytes, bool isEnd)
    {
        var decoder = _decoders[sample];
        Span<char> characters = stackalloc char[Encoding.UTF8.GetMaxCharCount(bytes.Length + 4)];
        return new string(characters[..decoder.GetChars(bytes, characters, isEnd)]);
    }
}
