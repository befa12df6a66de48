using System.Globalization;
using Zoo.Data;
using static TorchSharp.torch;

namespace Zoo.LeNet;

/// <summary>Where the digits come from, and which of them are taken.</summary>
internal static class DigitSource
{
    /// <summary>How many digits there were in 1989.</summary>
    public const int TrainCount1989 = 7291;

    /// <summary>How many were held out.</summary>
    public const int TestCount1989 = 2007;

    private const int PreparedAtOnce = 4096;   // 13 MB of floats before they shrink

    /// <summary>Digits that need no download.</summary>
    /// <exception cref="UserException">The options choose among digits of a real set.</exception>
    public static DigitsData Generated(DigitsOptions options)
    {
        if (options.Split != DigitSplit.Lecun1989)
        {
            throw new UserException($"'split' is {options.Split.ToString().ToLowerInvariant()}, which chooses among the digits of a real set, and without --data they are " +
                "generated. Name the data, or leave split out.");
        }
        var training = new DigitGenerator(options.GeneratorSeed).DrawRange(0, options.TrainCount ?? TrainCount1989);
        var test = new DigitGenerator(DigitGenerator.HeldOutSeed).DrawRange(0, options.TestCount ?? TestCount1989);
        return Prepared(training, test, $"generated digits (version {DigitGenerator.Version}, seed {options.GeneratorSeed}; no data file)");
    }

    /// <summary>Digits of MNIST, made small.</summary>
    /// <exception cref="UserException">The options ask for digits that are not there.</exception>
    /// <exception cref="Files.BadFileException">A file is damaged.</exception>
    public static DigitsData Mnist(DigitData files, DigitsOptions options)
    {
        var (training, test) = files.ReadMnist();
        var (trainOrder, testOrder, split) = options.Split switch
        {
            DigitSplit.Lecun1989 =>
                (List1989("train-indices.txt", training), List1989("test-indices.txt", test), "the digits of the 1989 reproduction"),
            DigitSplit.Lists when files.ReadLists(training.Count, test.Count) is { } lists =>
                (lists.Training, lists.Test, $"the digits that {files.TrainingList} and {Path.GetFileName(files.TestList)} list"),
            DigitSplit.Lists => throw new UserException(
                $"'split' is lists, and there is no train-indices.txt and test-indices.txt with the data in {files.Folder}; " +
                "add them, or take split lecun1989 or random."),
            _ =>
                (Shuffled(training.Count, options.SplitSeed), Shuffled(test.Count, options.SplitSeed), DrawnBy(options)),
        };
        var isRandom = options.Split == DigitSplit.Random;
        var trainCount = Count("train_count", options.TrainCount, isRandom ? TrainCount1989 : trainOrder.Length, training.Count, files);
        var testCount = Count("test_count", options.TestCount, isRandom ? TestCount1989 : testOrder.Length, test.Count, files);
        return Prepared(
            training.Take(Longer(trainOrder, training.Count).AsSpan(0, trainCount)),
            test.Take(Longer(testOrder, test.Count).AsSpan(0, testCount)),
            $"{files.Description}, {split}");
    }

    /// <summary>Digits of USPS, which are 16 x 16 in [-1, 1] already.</summary>
    /// <exception cref="UserException">The options ask for digits that are not there.</exception>
    /// <exception cref="Files.BadFileException">A file is damaged.</exception>
    public static DigitsData Usps(DigitData files, DigitsOptions options)
    {
        if (options.Split == DigitSplit.Lists)
        {
            throw new UserException(
                $"'split' is lists, which is for MNIST; the data in {files.Folder} are USPS. Take split lecun1989 or random.");
        }
        var (training, test) = files.ReadUsps();
        var trainCount = Count("train_count", options.TrainCount, training.Count, training.Count, files);
        var testCount = Count("test_count", options.TestCount, test.Count, test.Count, files);
        if (options.Split == DigitSplit.Random)
        {
            training = training.Take(Shuffled(training.Count, options.SplitSeed));
            test = test.Take(Shuffled(test.Count, options.SplitSeed));
        }
        using var scope = NewDisposeScope();
        var source = options.Split == DigitSplit.Random ? $"{files.Description}, {DrawnBy(options)}" : files.Description;
        return new DigitsData(
            Images(training, trainCount), Labels(training.Labels.AsSpan(0, trainCount)),
            Images(test, testCount), Labels(test.Labels.AsSpan(0, testCount)),
            Describe(source, trainCount, testCount));

        static Tensor Images(UspsDigits digits, int count)
        {
            const int side = UspsDigits.Side;
            return tensor(digits.Pixels.AsSpan(0, count * side * side).ToArray()).view(count, 1, side, side);
        }
    }

    private static DigitsData Prepared(GreyImages training, GreyImages test, string source)
    {
        using var scope = NewDisposeScope();
        return new DigitsData(
            Prepare(training), Labels(training.Labels), Prepare(test), Labels(test.Labels), Describe(source, training.Count, test.Count));
    }

    private static string DrawnBy(DigitsOptions options) => $"drawn at random by seed {options.SplitSeed}";

    private static string Describe(string source, int trainCount, int testCount) =>
        string.Create(CultureInfo.InvariantCulture, $"{source}: {trainCount:N0} to train on, {testCount:N0} held out");

    /// <summary>Every image by the op `lenet1989_prepare`, a few thousand at a time.</summary>
    private static Tensor Prepare(GreyImages images)
    {
        var prepared = empty(images.Count, 1, PrepareOp.OutputSide, PrepareOp.OutputSide);
        var size = images.Height * images.Width;
        for (var first = 0; first < images.Count; first += PreparedAtOnce)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(PreparedAtOnce, images.Count - first);
            var bytes = tensor(images.Pixels.AsSpan(first * size, count * size).ToArray()).view(count, 1, images.Height, images.Width);
            prepared.narrow(0, first, count).copy_(PrepareOp.Apply(bytes));
        }
        return prepared;
    }

    private static Tensor Labels(ReadOnlySpan<byte> labels)
    {
        using var bytes = tensor(labels.ToArray());
        return bytes.to(ScalarType.Int64);
    }

    /// <summary>A list of the 1989 reproduction, which the plugin carries.</summary>
    private static int[] List1989(string name, GreyImages images)
    {
        using var stream = typeof(DigitSource).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        var lines = reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var indices = Array.ConvertAll(lines, line => int.Parse(line, CultureInfo.InvariantCulture));
        var last = indices.Max();
        return last < images.Count ? indices : throw new UserException(
            $"'split' is lecun1989, which takes digits up to number {last} of MNIST; {images.Source} has {images.Count}. Take split random.");
    }

    /// <summary>The numbers below <paramref name="count"/> in an order drawn by <paramref name="seed"/>.</summary>
    private static int[] Shuffled(int count, uint seed)
    {
        var random = new CounterRandom(seed);
        int[] order = [.. Enumerable.Range(0, count)];
        for (var i = count - 1; i > 0; i--)
        {
            var j = random.NextInt32(0, i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    /// <summary>The order, and behind it every number that it lacks.</summary>
    private static int[] Longer(int[] order, int count) => [.. order, .. Enumerable.Range(0, count).Except(order)];

    private static int Count(string key, int? wanted, int usual, int available, DigitData files)
    {
        var count = wanted ?? Math.Min(usual, available);
        return count <= available ? count
            : throw new UserException($"'{key}' is {count}, and {files.Description} has {available} of these digits.");
    }
}
