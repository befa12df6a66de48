using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// A handwritten digit pixel by pixel in one fixed random order (Le, Jaitly and Hinton 2015): which of ten is it? What belongs together is far
/// apart. Probes long memory without locality. A row:
/// `0 ×3, 0.47 0.00 0.00 0.00 0.00 0.00 0.00 0.76 … (784 values) → 8`.
/// </summary>
internal sealed class PermutedMnistTask : ITask
{
    public TaskInfo Info { get; } = new("permuted-mnist", "Handwritten digits, their pixels in a fixed random order", ModelKind.VectorSequence)
    {
        Skill = "gathering evidence over 784 steps without help from neighbours",
        Example = "0 ×3, 0.47 0.00 0.00 0.00 0.00 0.00 0.00 0.76 … (784 values) → 8",
        ExampleOptions = ["train_count=1", "test_count=1"],
        Chance = "90 % wrong",
        DataHelp = DigitSets.DataHelp,
    };

    public Settings Options { get; } = new DigitSequenceOptions();

    public TaskData Open(TaskRequest request)
    {
        var options = TaskOptions.Bind((DigitSequenceOptions)Options, request, Info);
        return new DigitSequences(DigitSets.Open(options, request.DataPath, Info.Name), options.PixelsPerStep, Order());
    }

    /// <summary>The order of the pixels: a function of the task's version alone, so that runs and data compare.</summary>
    private int[] Order()
    {
        var random = new SampleRandom(SampleRandom.Stream(Info.Name, Info.Version), seed: 0, index: 0);
        var order = Enumerable.Range(0, DigitSequences.PixelCount).ToArray();
        for (var i = 0; i < order.Length; i++)
        {
            var j = i + random.Below(order.Length - i);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }
}
