using Zoo.Host.Cli;

namespace Zoo.Host.Training;

/// <summary>Says how far a training is.</summary>
/// <param name="output">Where notes go.</param>
/// <param name="stepCount">Steps of the whole run.</param>
/// <param name="unit">What the rate counts: "samples", "tokens".</param>
internal sealed class TrainingProgress(Output output, long stepCount, string unit)
{
    private readonly LiveLine _line = new(output, plainInterval: TimeSpan.FromSeconds(10));

    /// <summary>Shows where the training is, if it is time for it.</summary>
    /// <param name="step">Steps done.</param>
    /// <param name="loss">The mean loss of late.</param>
    /// <param name="tokensPerSecond">The rate.</param>
    /// <param name="secondsLeft">How long the rest will take.</param>
    public void Update(long step, double loss, double tokensPerSecond, double secondsLeft) => _line.Update(() =>
        $"step {step:N0} of {stepCount:N0} ({100.0 * step / stepCount:F0} %)  loss {loss:G4}  {tokensPerSecond:N0} {unit}/s  {Duration(secondsLeft)} left");

    /// <summary>A note above the live line.</summary>
    public void Note(string text) => _line.Note(text);

    /// <summary>Takes the live line away.</summary>
    public void Clear() => _line.Clear();

    /// <summary>A time span in words: "34 s", "12 min 5 s", "3 h 20 min".</summary>
    public static string Duration(double seconds) => seconds switch
    {
        < 0.95 => $"{seconds:F1} s",
        < 60 => $"{seconds:F0} s",
        < 3600 => $"{(int)(seconds / 60)} min {(int)(seconds % 60)} s",
        _ => $"{(long)(seconds / 3600)} h {(int)(seconds % 3600 / 60)} min",
    };
}
