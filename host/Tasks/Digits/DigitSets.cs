using Zoo.Data;

namespace Zoo.Host.Tasks;

/// <summary>Digits to train on and digits held out, as the tasks on them open them: MNIST from a folder, or drawn ones.</summary>
/// <param name="Training">Digits to train on.</param>
/// <param name="Test">Digits held out.</param>
/// <param name="Source">What they are, for the run's record.</param>
internal sealed record DigitSets(GreyImages Training, GreyImages Test, string Source)
{
    /// <summary>What `--data` may name.</summary>
    public const string DataHelp = "a folder with MNIST (its four IDX files, gz or not); without it digits are generated";

    private const int GeneratedTrainCount = 10_000;
    private const int GeneratedTestCount = 2_000;

    /// <summary>Reads or draws them.</summary>
    /// <param name="options">How many.</param>
    /// <param name="dataPath">MNIST's folder; null for drawn ones.</param>
    /// <param name="task">The task's name, for messages.</param>
    /// <exception cref="UserException">There are fewer than wanted, or they are of another set.</exception>
    public static DigitSets Open(DigitsOptions options, string? dataPath, string task)
    {
        if (dataPath is null)
        {
            return new DigitSets(
                new DigitGenerator(options.GeneratorSeed).DrawRange(0, options.TrainCount ?? GeneratedTrainCount),
                new DigitGenerator(DigitGenerator.HeldOutSeed).DrawRange(0, options.TestCount ?? GeneratedTestCount),
                $"generated digits (version {DigitGenerator.Version}, seed {options.GeneratorSeed})");
        }
        var files = DigitData.Find(dataPath);
        if (files.Format != DigitFormat.Mnist)
            throw new UserException($"The task {task} takes digits of 28 x 28, and {files.Folder} has those of USPS, 16 x 16; " +
                "name a folder with MNIST, or none for generated digits.");
        var (training, test) = files.ReadMnist();
        return new DigitSets(
            First(training, options.TrainCount, "train_count"), First(test, options.TestCount, "test_count"), files.Description);
    }

    private static GreyImages First(GreyImages images, int? count, string key)
    {
        if (count > images.Count)
            throw new UserException($"'{key}' is {count}, and {images.Source} has {images.Count} of these digits.");
        return count is null || count == images.Count ? images : images.Take([.. Enumerable.Range(0, count.Value)]);
    }
}
