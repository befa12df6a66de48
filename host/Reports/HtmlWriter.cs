using System.Globalization;
using System.Text;

namespace Zoo.Host.Reports;

/// <summary>
/// Writes HTML that is also well-formed XML. Whatever text it is given ends up escaped; only <see cref="Verbatim"/> trusts its caller.
/// </summary>
internal sealed class HtmlWriter
{
    private readonly StringBuilder _html = new();

    /// <summary>Opens an element; disposing the result closes it.</summary>
    /// <param name="name">Its tag.</param>
    /// <param name="attributes">Those whose value is null are left out.</param>
    public Scope Element(string name, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        Open(name, attributes);
        _html.Append('>');
        return new Scope(this, name);
    }

    /// <summary>An element with nothing but a text.</summary>
    public void Leaf(string name, string text, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        using (Element(name, attributes))
            Text(text);
    }

    /// <summary>An element with nothing in it, of those that HTML allows to close themselves.</summary>
    public void Empty(string name, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        Open(name, attributes);
        _html.Append("/>");
    }

    /// <summary>Text.</summary>
    public void Text(string text) => Escape(text);

    /// <summary>The program's own style and script, and nothing else.</summary>
    public void Verbatim(string markup) => _html.Append(markup);

    /// <summary>All of it.</summary>
    public override string ToString() => _html.ToString();

    private void Open(string name, ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        if (name is "section" or "header" or "main" or "footer" or "div" or "details" or "figure" or "svg" or "g" or "table" or "tr" or "p" or "h1" or "h2" or "h3")
            _html.Append('\n');
        _html.Append('<').Append(name);
        foreach (var (attribute, value) in attributes)
        {
            if (value is null)
                continue;
            _html.Append(' ').Append(attribute).Append("=\"");
            Escape(value);
            _html.Append('"');
        }
    }

    private void Escape(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                _html.Append(c).Append(text[++i]);
            else
                _ = c switch
                {
                    '&' => _html.Append("&amp;"),
                    '<' => _html.Append("&lt;"),
                    '>' => _html.Append("&gt;"),
                    '"' => _html.Append("&quot;"),
                    '\'' => _html.Append("&#39;"),
                    '\n' or '\t' => _html.Append(c),
                    _ => _html.Append(IsVisible(c) ? c : '\ufffd'),
                };
        }
    }

    /// <summary>Not so: control characters, halves of characters, and marks that turn the direction of the text around them.</summary>
    private static bool IsVisible(char c) => c is not ('\ufffe' or '\uffff' or (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069'))
        && CharUnicodeInfo.GetUnicodeCategory(c) is not (UnicodeCategory.Control or UnicodeCategory.Surrogate);

    /// <summary>An open element.</summary>
    internal readonly struct Scope(HtmlWriter writer, string name) : IDisposable
    {
        public void Dispose() => writer._html.Append("</").Append(name).Append('>');
    }
}
