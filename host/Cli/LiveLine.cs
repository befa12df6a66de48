using System.Diagnostics;

namespace Zoo.Host.Cli;

/// <summary>One line of progress that rewrites itself in a terminal, and a plain line now and then elsewhere.</summary>
/// <param name="output">Where it goes.</param>
/// <param name="plainInterval">Time between plain lines.</param>
internal sealed class LiveLine(Output output, TimeSpan plainInterval)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);
    private readonly Stopwatch _sinceLine = Stopwatch.StartNew();
    private int _length;

    /// <summary>Shows a text, if it is time for it.</summary>
    /// <param name="text">Makes it; not asked when it is not shown.</param>
    public void Update(Func<string> text)
    {
        if (output.Quiet || _sinceLine.Elapsed < (output.IsTerminal ? Interval : plainInterval))
            return;
        _sinceLine.Restart();
        if (output.IsTerminal)
            Rewrite(text());
        else
            output.Note(text());
    }

    /// <summary>A note above the live line.</summary>
    public void Note(string text)
    {
        Clear();
        output.Note(text);
    }

    /// <summary>Takes the live line away.</summary>
    public void Clear()
    {
        if (_length > 0)
            Console.Error.Write("\r" + new string(' ', _length) + "\r");
        _length = 0;
    }

    private void Rewrite(string text)
    {
        var width = Console.WindowWidth > 1 ? Console.WindowWidth - 1 : 79;
        var shown = text.Length > width ? text[..width] : text;
        Console.Error.Write("\r" + shown.PadRight(_length));
        _length = shown.Length;
    }
}
