using System.Diagnostics;
using Zoo.Host.Cli;

namespace Zoo.Host.Training;

/// <summary>Says how far a training is: one line that rewrites itself in a terminal, a plain line now and then elsewhere.</summary>
/// <param name="output">Where notes go.</param>
/// <param name="stepCount">Steps of the whole run.</param>
/// <param name="unit">What the rate counts: "samples", "tokens".</param>
internal sealed class TrainingProgress(Output output, long stepCount, string unit)
{
    private static readonly TimeSpan LiveInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(10);
    private readonly Stopwatch _sinceLine = Stopwatch.StartNew();
    private int _liveLength;

    /// <summary>Shows where the training is, if it is time for it.</summary>
    /// <param name="step">Steps done.</param>
    /// <param name="loss">The mean loss of late.</param>
    /// <param name="tokensPerSecond">The rate.</param>
    /// <param name="secondsLeft">How long the rest will take.</param>
    public void Update(long step, double loss, double tokensPerSecond, double secondsLeft)
    {
        if (output.Quiet || _sinceLine.Elapsed < (output.IsTerminal ? LiveInterval : PlainInterval))
            return;
        _sinceLine.Restart();
        var text = $"step {step:N0} of {stepCount:N0} ({100.0 * step / stepCount:F0} %)  loss {loss:G4}  " +
            $"{tokensPerSecond:N0} {unit}/s  {Duration(secondsLeft)} left";
        if (output.IsTerminal)
            Rewrite(text);
        else
            output.Note(text);
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
        if (_liveLength > 0)
            Console.Error.Write("\r" + new string(' ', _liveLength) + "\r");
        _liveLength = 0;
    }

    /// <summary>A time span in words: "34 s", "12 min 5 s", "3 h 20 min".</summary>
    public static string Duration(double seconds) => seconds switch
    {
        < 0.95 => $"{seconds:F1} s",
        < 60 => $"{seconds:F0} s",
        < 3600 => $"{(int)(seconds / 60)} min {(int)(seconds % 60)} s",
        _ => $"{(long)(seconds / 3600)} h {(int)(seconds % 3600 / 60)} min",
    };

    private void Rewrite(string text)
    {
        var width = Console.WindowWidth > 1 ? Console.WindowWidth - 1 : 79;
        var shown = text.Length > width ? text[..width] : text;
        Console.Error.Write("\r" + shown.PadRight(_liveLength));
        _liveLength = shown.Length;
    }
}
