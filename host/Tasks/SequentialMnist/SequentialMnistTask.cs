using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// A handwritten digit pixel by pixel, row after row (Le, Jaitly and Hinton 2015): which of ten is it? Probes gathering evidence over hundreds of
/// steps. A row:
/// `0 ×127, 0.19 0.54 0.51 0.00 0.00 0.00 0.00 0.00 … (784 values) → 8`.
/// </summary>
internal sealed class SequentialMnistTask : ITask
{
    public TaskInfo Info { get; } = new("sequential-mnist", "Handwritten digits, pixel by pixel: MNIST, or generated ones", ModelKind.VectorSequence)
    {
        Skill = "gathering evidence over 784 steps",
        Example = "0 ×127, 0.19 0.54 0.51 0.00 0.00 0.00 0.00 0.00 … (784 values) → 8",
        ExampleOptions = ["train_count=1", "test_count=1"],
        Chance = "90 % wrong",
        DataHelp = DigitSets.DataHelp,
    };

    public Settings Options { get; } = new DigitSequenceOptions();

    public TaskData Open(TaskRequest request)
    {
        var options = TaskOptions.Bind((DigitSequenceOptions)Options, request, Info);
        return new DigitSequences(DigitSets.Open(options, request.DataPath, Info.Name), options.PixelsPerStep, order: null);
    }
}
