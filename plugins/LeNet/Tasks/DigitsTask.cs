using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Data;
using Zoo.Tasks;

namespace Zoo.LeNet;

/// <summary>
/// Handwritten digits as the net of 1989 saw them, 16 x 16 in [-1, 1] with -1 for empty paper: which of ten digits is it?
/// Probes recognition of shapes. A row:
/// `-1 ×12, -0.94 -1.00 -1.00 -1.00 -1.00 -1.00 -1.00 -1.00 … (256 values) → 6`.
/// </summary>
internal sealed class DigitsTask : ITask
{
    /// <summary>What the user types.</summary>
    public const string Name = "digits-1989";

    public TaskInfo Info { get; } = new(
        Name, "Handwritten digits of 16 x 16, as many as in 1989: 7,291 to train on and 2,007 held out", ModelKind.ImageClassifier)
    {
        Skill = "recognising shapes whatever their position, slant and stroke",
        Example = "-1 ×12, -0.94 -1.00 -1.00 -1.00 -1.00 -1.00 -1.00 -1.00 … (256 values) → 6",
        ExampleOptions = ["train_count=1", "test_count=1"],
        Chance = "90 % wrong",
        DataHelp = "a folder with MNIST's four IDX files or USPS's zip.train and zip.test, each gz or not; without it digits are generated",
        Version = 1,
    };

    public Settings Options { get; } = new DigitsOptions();

    public TaskData Open(TaskRequest request)
    {
        var options = ConfigJson.Bind((DigitsOptions)Options, request.Options, $"task {Name}");
        if (request.DataPath is null)
            return DigitSource.Generated(options);
        var found = DigitData.Find(request.DataPath);
        return found.Format == DigitFormat.Mnist ? DigitSource.Mnist(found, options) : DigitSource.Usps(found, options);
    }
}
