using System.Runtime.InteropServices;
using Zoo.LeNet;

namespace Zoo.Tests.LeNet;

/// <summary>
/// The cpu kernel on memory of its own: what it writes and what it leaves alone, and every vector width whatever the machine's.
/// </summary>
public sealed unsafe class BatchNormCpuTests
{
    private const int Guard = 64;
    private const float Untouched = 12345.678f;

    private static readonly (long Batch, int Channels, long Elements)[] Sizes =
    [
        (2, 1, 1), (5, 3, 1), (4, 16, 1), (7, 33, 1), (3, 61, 1), (2, 2, 2), (3, 5, 3), (2, 3, 15), (2, 3, 16), (3, 2, 17), (1, 2, 50),
    ];

    [Test]
    public void Run_OutputsHoldNaN_AllAreWrittenAndNothingElse([ValueSource(nameof(Sizes))] (long, int, long) size, [Values] bool training)
    {
        using var run = new Run(size, training);
        BatchNormCpu.Run(run.Forward, run.Forward.Sizes);
        BatchNormCpu.Run(run.Backward, run.Backward.Sizes);
        foreach (var (name, values, guards) in run.Written())
        {
            Assert.That(values.All(float.IsFinite), Is.True, name);
            Assert.That(guards, Is.All.EqualTo(Untouched), name);
        }
        Assert.That(run.Statistics.All(double.IsFinite), Is.True);
    }

    [Test]
    public void Run_EveryWidth_GivesTheSame([ValueSource(nameof(Sizes))] (long, int, long) size, [Values] bool training)
    {
        using var scalar = new Run(size, training);
        ByWidth<WideScalar>(scalar);
        foreach (var byWidth in new Action<Run>[] { ByWidth<Wide128>, ByWidth<Wide256>, ByWidth<Wide512> })
        {
            using var wide = new Run(size, training);
            byWidth(wide);
            foreach (var (expected, actual) in scalar.Written().Zip(wide.Written()))
            {
                for (var i = 0; i < expected.Values.Length; i++)
                {
                    // float64 sums in another order, then one rounding: at most a neighbouring float32. Measured: equal but for 1 in 2,000.
                    var within = Math.ScaleB(Math.Max(1, Math.Abs(expected.Values[i])), -23);
                    Assert.That(actual.Values[i], Is.EqualTo(expected.Values[i]).Within(within),
                        $"{byWidth.Method}, {expected.Name}[{i}]");
                }
            }
        }
    }

    private static void ByWidth<V>(Run run)
        where V : struct, IWide<V>
    {
        Pass<BatchNormForward, V>(run.Forward, run.Forward.Sizes);
        Pass<BatchNormBackward, V>(run.Backward, run.Backward.Sizes);
    }

    private static void Pass<W, V>(W work, BatchNormSizes sizes)
        where W : struct, IChannelWork
        where V : struct, IWide<V>
    {
        var channel = 0;
        for (; sizes.Elements == 1 && channel + V.Count <= sizes.Channels; channel += V.Count)
            work.Columns<V>(channel);
        for (; channel < sizes.Channels; channel++)
        {
            if (sizes.Elements == 1)
                work.Columns<WideScalar>(channel);
            else
                work.Plane<V>(channel);
        }
    }

    /// <summary>A call's memory: inputs at random, outputs NaN, and a guard before and after each.</summary>
    private sealed class Run : IDisposable
    {
        private readonly List<(string Name, nint Memory, int Length)> _outputs = [];
        private readonly List<nint> _all = [];
        private readonly Random _random = new(5);
        private readonly double* _statistics;
        private readonly int _channels;

        public Run((long Batch, int Channels, long Elements) size, bool training)
        {
            var sizes = new BatchNormSizes(size.Batch, size.Channels, size.Elements);
            var total = (int)sizes.Total;
            _channels = size.Channels;
            float* x = Input(total), weight = Input(_channels), bias = Input(_channels), mean = Input(_channels),
                variance = Input(_channels), g = Input(total);
            for (var i = 0; i < _channels; i++)
                variance[i] = 0.5f + variance[i] * variance[i];
            _statistics = (double*)Input(4 * _channels);
            Forward = new BatchNormForward(
                sizes, x, weight, bias, mean, variance, Output("y", total), Output("mean", _channels), Output("var", _channels),
                _statistics, training, 1e-5);
            Backward = new BatchNormBackward(
                sizes, x, weight, g, _statistics, Output("gradient of x", total), Output("gradient of weight", _channels),
                Output("gradient of bias", _channels), training);
        }

        public BatchNormForward Forward { get; }

        public BatchNormBackward Backward { get; }

        public double[] Statistics => new Span<double>(_statistics, 2 * _channels).ToArray();

        public IEnumerable<(string Name, float[] Values, float[] Guards)> Written() => _outputs.Select(o =>
        {
            var all = new Span<float>((void*)o.Memory, o.Length + 2 * Guard);
            return (o.Name, all[Guard..^Guard].ToArray(), (float[])[.. all[..Guard], .. all[^Guard..]]);
        });

        public void Dispose() => _all.ForEach(memory => NativeMemory.Free((void*)memory));

        private float* Input(int length)
        {
            var memory = (float*)NativeMemory.Alloc((nuint)length, sizeof(float));
            _all.Add((nint)memory);
            for (var i = 0; i < length; i++)
                memory[i] = (float)(_random.NextDouble() * 4 - 1.5);
            return memory;
        }

        private float* Output(string name, int length)
        {
            var memory = (float*)NativeMemory.Alloc((nuint)(length + 2 * Guard), sizeof(float));
            _all.Add((nint)memory);
            _outputs.Add((name, (nint)memory, length));
            new Span<float>(memory, length + 2 * Guard).Fill(Untouched);
            new Span<float>(memory + Guard, length).Fill(float.NaN);
            return memory + Guard;
        }
    }
}
