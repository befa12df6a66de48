using System.Runtime.InteropServices;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.MatMulFree.Ops.Kernels;

namespace Zoo.MatMulFree.Ops.BitLinear;

/// <summary>
/// The backward, some thousand rows at a time: their activations are rounded again, two products by libtorch follow, and the norm's backward while
/// what they gave is in cache. Memory beside the gradients does not grow with the number of rows.
/// </summary>
internal sealed unsafe class BitLinearBackward
{
    private const int NumbersOfChunk = 1 << 17;     // a chunk of rows, at least
    private const int LeastRows = 256;
    private const int NumbersOfWeights = 1 << 19;   // a chunk of weights as floats
    private const int RowsOfTile = 64;              // of a thread

    private readonly BitLinearSizes _sizes;
    private readonly int _chunkRows, _chunkOutputs, _stride;
    private readonly float* _x, _norm, _weight, _gradY, _gradX, _gradNorm, _gradWeight, _gradBias;

    public BitLinearBackward(BitLinearSizes sizes, KernelArrays arrays)
    {
        _sizes = sizes;
        _x = arrays["x"].Float32;
        _norm = arrays["norm.weight"].Float32;
        _weight = arrays["weight"].Float32;
        _gradY = arrays.Gradient("y").Float32;
        _gradX = arrays.Gradient("x").Float32;
        _gradNorm = arrays.Gradient("norm.weight").Float32;
        _gradWeight = arrays.Gradient("weight").Float32;
        _gradBias = arrays.Gradient("bias").Float32;
        var width = Simd.Bits / 32;
        _stride = (sizes.Inputs + width - 1) / width * width;
        _chunkRows = (int)Math.Min(Math.Max(sizes.Rows, 1), Math.Max(LeastRows, NumbersOfChunk / _stride / RowsOfTile * RowsOfTile));
        _chunkOutputs = Math.Min(sizes.Outputs, Math.Max(1, NumbersOfWeights / sizes.Inputs));
    }

    public void Run()
    {
        BiasGradient();
        if (_gradY == null || _sizes.Rows == 0)
        {
            Clear(_gradX, _sizes.Rows * _sizes.Inputs);
            Clear(_gradNorm, _sizes.Inputs);
            Clear(_gradWeight, (long)_sizes.Inputs * _sizes.Outputs);
            return;
        }
        var ofInput = _gradX != null || _gradNorm != null;
        if (!ofInput && _gradWeight == null)
            return;
        var tiles = (_chunkRows + RowsOfTile - 1) / RowsOfTile;
        using var memory = new Scratch(
            _chunkRows + (long)_chunkRows * _stride                                     // rates, rounded activations
            + (ofInput ? (long)_chunkRows * _stride + (long)_chunkOutputs * _sizes.Inputs + (long)tiles * _stride : 0), parts: 5);
        float* rates = memory.Take(_chunkRows), rounded = memory.Take((long)_chunkRows * _stride);
        float* gradNormed = null, weights = null, parts = null;
        if (ofInput)
        {
            gradNormed = memory.Take((long)_chunkRows * _stride);
            weights = memory.Take((long)_chunkOutputs * _sizes.Inputs);
            parts = memory.Take((long)tiles * _stride);
            Clear(_gradNorm, _sizes.Inputs);
        }
        var weightScale = ofInput ? WeightScale.Of(_weight, (long)_sizes.Inputs * _sizes.Outputs) : 0;
        for (var first = 0L; first < _sizes.Rows; first += _chunkRows)
        {
            var rows = (int)Math.Min(_chunkRows, _sizes.Rows - first);
            var given = new HostMatrix(_gradY + first * _sizes.Outputs, rows, _sizes.Outputs);
            Round(first, rows, rates, rounded);
            if (_gradWeight != null)
            {
                LayerProduct.Run(
                    given.Transposed, new HostMatrix((nint)rounded, rows, _sizes.Inputs, _stride),
                    new HostMatrix(_gradWeight, _sizes.Outputs, _sizes.Inputs), add: first > 0);
            }
            if (!ofInput)
                continue;
            var target = new HostMatrix((nint)gradNormed, rows, _sizes.Inputs, _stride);
            for (var output = 0; output < _sizes.Outputs; output += _chunkOutputs)
            {
                var outputs = Math.Min(_chunkOutputs, _sizes.Outputs - output);
                if (first == 0 || _chunkOutputs < _sizes.Outputs)
                    Weights(output, outputs, weightScale, weights);
                LayerProduct.Run(given.ColumnRange(output, outputs), new HostMatrix(weights, outputs, _sizes.Inputs), target, weightScale, add: output > 0);
            }
            Norm(first, rows, rates, gradNormed, parts);
        }
    }

    private static void Clear(float* array, long count)
    {
        if (array != null)
            NativeMemory.Clear(array, (nuint)(count * sizeof(float)));
    }

    /// <summary>x_int8 / x_scale of some rows, and the norm's rates.</summary>
    private void Round(long first, int rows, float* rates, float* rounded)
    {
        var work = new RoundRows { Inputs = _sizes.Inputs, Stride = _stride, Epsilon = _sizes.Epsilon, Norm = _norm };
        Tiles(rows, (tile, from, count) => Simd.Run(work with
        {
            Rows = count,
            X = _x + (first + from) * _sizes.Inputs,
            Rates = rates + from,
            Rounded = rounded + (long)from * _stride,
        }));
    }

    private void Weights(int output, int outputs, float scale, float* target)
    {
        var inputs = _sizes.Inputs;
        var source = _weight + (long)output * inputs;
        var pieces = Math.Min(outputs, 16);
        WorkShare.For(pieces, piece =>
        {
            long from = (long)outputs * piece / pieces * inputs, end = (long)outputs * (piece + 1) / pieces * inputs;
            Simd.Run(new TernaryFloats(source + from, end - from, scale, target + from));
        });
    }

    /// <summary>Through the norm; tiles have their own part of its weight's gradient, and the parts are added in order.</summary>
    private void Norm(long first, int rows, float* rates, float* gradNormed, float* parts)
    {
        var work = new NormRows { Inputs = _sizes.Inputs, Stride = _stride, Norm = _norm };
        Tiles(rows, (tile, from, count) => Simd.Run(work with
        {
            Rows = count,
            X = _x + (first + from) * _sizes.Inputs,
            Rates = rates + from,
            GradNormed = gradNormed + (long)from * _stride,
            GradX = _gradX == null ? null : _gradX + (first + from) * _sizes.Inputs,
            GradNorm = parts + (long)tile * _stride,
        }));
        if (_gradNorm == null)
            return;
        for (var tile = 0; tile < (rows + RowsOfTile - 1) / RowsOfTile; tile++)
        {
            var part = parts + (long)tile * _stride;
            for (var i = 0; i < _sizes.Inputs; i++)
                _gradNorm[i] += part[i];
        }
    }

    private static void Tiles(int rows, Action<int, int, int> body) => WorkShare.For((rows + RowsOfTile - 1) / RowsOfTile, tile =>
    {
        var from = tile * RowsOfTile;
        body(tile, from, Math.Min(RowsOfTile, rows - from));
    });

    private void BiasGradient()
    {
        if (_gradBias == null)
            return;
        Clear(_gradBias, _sizes.Outputs);
        if (_gradY == null || !_sizes.HasBias)
            return;
        for (var row = 0L; row < _sizes.Rows; row++)
        {
            var from = _gradY + row * _sizes.Outputs;
            for (var i = 0; i < _sizes.Outputs; i++)
                _gradBias[i] += from[i];
        }
    }

    private readonly struct TernaryFloats(float* weight, long count, float scale, float* target) : ISimdKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V> => TernaryCodes.Floats<V>(weight, count, scale, target);
    }
}
