using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Data;
using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// Handwritten digits, 28 × 28 in [0, 1] with 0 for empty paper: which of ten digits is it? Probes recognition of shapes. A row: an image
/// of a slanted 7, and the label 7.
/// </summary>
internal sealed class DigitsTask : ITask
{
    private const string Name = "digits";
    private const int GeneratedTrainCount = 10_000;
    private const int GeneratedTestCount = 2_000;

    public TaskInfo Info { get; } = new(Name, "Handwritten digits of 28 x 28: MNIST, or generated ones", ModelKind.ImageClassifier)
    {
        Skill = "recognising shapes whatever their position, slant and stroke",
        Example = "image [1, 28, 28] of a slanted 7, values from 0 (paper) to 1 (ink) -> label 7",
        Chance = "90 % wrong",
        DataHelp = "a folder with MNIST (its four IDX files, gz or not); without it digits are generated",
        Version = 1,
    };

    public Settings Options { get; } = new DigitsOptions();

    public TaskData Open(TaskRequest request)
    {
        var options = ConfigJson.Bind((DigitsOptions)Options, request.Options, $"task {Name}");
        return request.DataPath is { } path ? OpenMnist(DigitData.Find(path), options) : Generate(options);
    }

    private static DigitsData Generate(DigitsOptions options)
    {
        var training = new DigitGenerator(options.GeneratorSeed).DrawRange(0, options.TrainCount ?? GeneratedTrainCount);
        var test = new DigitGenerator(DigitGenerator.HeldOutSeed).DrawRange(0, options.TestCount ?? GeneratedTestCount);
        return new DigitsData(training, test, $"generated digits (version {DigitGenerator.Version}, seed {options.GeneratorSeed})");
    }

    private static DigitsData OpenMnist(DigitData files, DigitsOptions options)
    {
        if (files.Format != DigitFormat.Mnist)
            throw new UserException($"The task {Name} takes digits of 28 x 28, and {files.Folder} has those of USPS, 16 x 16; " +
                "name a folder with MNIST, or none for generated digits.");
        var (training, test) = files.ReadMnist();
        return new DigitsData(
            First(training, options.TrainCount, "train_count"), First(test, options.TestCount, "test_count"), files.Description);
    }

    private static GreyImages First(GreyImages images, int? count, string key)
    {
        if (count > images.Count)
            throw new UserException($"'{key}' is {count}, and {images.Source} has {images.Count} of these digits.");
        return count is null || count == images.Count ? images : images.Take([.. Enumerable.Range(0, count.Value)]);
    }
}
