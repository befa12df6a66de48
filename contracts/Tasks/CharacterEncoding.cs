using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Zoo.Files;

namespace Zoo.Tasks;

/// <summary>The characters (Unicode code points) of a text as ids, in the order of their code points.</summary>
public sealed class CharacterEncoding : TextEncoding
{
    /// <summary>The most characters that it holds, so that an id fits into 16 bits.</summary>
    public const int MostSymbols = 1 << 16;

    internal const string Kind = "characters";
    private const string SymbolsKey = "symbols";
    private const int None = -1;

    private readonly Rune[] _symbols;
    private readonly byte[][] _utf8;
    private readonly int[] _idOf;   // by code point

    /// <summary>An encoding of these characters.</summary>
    /// <param name="symbols">Ascending, none twice, from 1 to <see cref="MostSymbols"/> of them.</param>
    /// <exception cref="ArgumentException">They are not.</exception>
    public CharacterEncoding(IEnumerable<Rune> symbols)
    {
        _symbols = [.. symbols];
        if (_symbols.Length is 0 or > MostSymbols || _symbols.Zip(_symbols.Skip(1)).Any(pair => pair.First >= pair.Second))
            throw new ArgumentException($"1 to {MostSymbols:N0} characters in ascending order are needed.", nameof(symbols));
        _utf8 = [.. _symbols.Select(s => Encoding.UTF8.GetBytes(s.ToString()))];
        _idOf = new int[_symbols[^1].Value + 1];
        Array.Fill(_idOf, None);
        for (var id = 0; id < _symbols.Length; id++)
            _idOf[_symbols[id].Value] = id;
    }

    /// <inheritdoc/>
    public override int VocabSize => _symbols.Length;

    /// <inheritdoc/>
    public override string Unit => "char";

    /// <summary>The characters by their ids.</summary>
    public IReadOnlyList<Rune> Symbols => _symbols;

    /// <summary>The id of a character, or -1.</summary>
    public int IdOf(Rune symbol) => symbol.Value < _idOf.Length ? _idOf[symbol.Value] : None;

    /// <inheritdoc/>
    public override long[] Encode(string text)
    {
        var ids = new List<long>(text.Length);
        foreach (var symbol in text.EnumerateRunes())   // a lone surrogate comes as U+FFFD
        {
            var id = IdOf(symbol);
            if (id == None)
                throw new UserException($"Character {ids.Count + 1:N0} of the text, {Words(symbol)}, is none of the {VocabSize:N0} that the " +
                    $"model knows: {Shown()}. Leave it out.");
            ids.Add(id);
        }
        return [.. ids];
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Utf8(long id) => _utf8[Check(id)];

    /// <inheritdoc/>
    public override JsonObject ToJson() => new() { [KindKey] = Kind, [SymbolsKey] = string.Concat(_symbols.Select(s => s.ToString())) };

    internal static CharacterEncoding Read(JsonObject json, string path)
    {
        if (json[SymbolsKey] is not JsonValue value || !value.TryGetValue(out string? symbols))
            throw new BadFileException($"'{path}': '{SymbolsKey}' is missing or no text; it must hold the characters in the order of their ids.");
        try
        {
            return new CharacterEncoding(symbols.EnumerateRunes());
        }
        catch (ArgumentException e)
        {
            throw new BadFileException($"'{path}': '{SymbolsKey}' must hold 1 to {MostSymbols:N0} characters in the order of their code " +
                "points, none twice.", e);
        }
    }

    private string Shown()
    {
        const int most = 100;
        var shown = string.Concat(_symbols.Where(s => !Rune.IsControl(s)).Take(most).Select(s => s.ToString()));
        return _symbols.Length > most ? $"{shown}…" : shown;
    }

    private static string Words(Rune symbol)
    {
        var code = string.Create(CultureInfo.InvariantCulture, $"U+{symbol.Value:X4}");
        return Rune.IsControl(symbol) ? code : $"'{symbol}' ({code})";
    }
}
