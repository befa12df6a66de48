using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// Handwritten digits, 28 × 28 in [0, 1] with 0 for empty paper: which of ten digits is it? Probes recognition of shapes. A row:
/// `0 ×127, 0.19 0.54 0.51 0.00 0.00 0.00 0.00 0.00 … (784 values) → 8`.
/// </summary>
internal sealed class DigitsTask : ITask
{
    public TaskInfo Info { get; } = new("digits", "Handwritten digits of 28 x 28: MNIST, or generated ones", ModelKind.ImageClassifier)
    {
        Skill = "recognising shapes whatever their position, slant and stroke",
        Example = "0 ×127, 0.19 0.54 0.51 0.00 0.00 0.00 0.00 0.00 … (784 values) → 8",
        ExampleOptions = ["train_count=1", "test_count=1"],
        Chance = "90 % wrong",
        DataHelp = DigitSets.DataHelp,
    };

    public Settings Options { get; } = new DigitsOptions();

    public TaskData Open(TaskRequest request)
    {
        var options = TaskOptions.Bind((DigitsOptions)Options, request, Info);
        var digits = DigitSets.Open(options, request.DataPath, Info.Name);
        return new DigitsData(digits.Training, digits.Test, digits.Source);
    }
}
