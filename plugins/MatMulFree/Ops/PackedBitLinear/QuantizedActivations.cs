using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;
using Zoo.MatMulFree.Ops.Kernels;
using Zoo.MatMulFree.Ops.TernaryMatmul;

namespace Zoo.MatMulFree.Ops.PackedBitLinear;

/// <summary>Rows of activations, normalised, rounded and arranged for products with packed matrices. Owns its memory, which is used again and again.</summary>
internal sealed unsafe class QuantizedActivations : IDisposable
{
    /// <summary>ε of the norm inside of ternary layers, whatever the config says: as in the original.</summary>
    public const double Epsilon = 1e-6;

    private readonly int _tokens, _dim, _width;
    private readonly bool _isFar;
    private readonly byte* _memory;
    private readonly float* _factors, _floats;
    private readonly int* _sums;
    private readonly sbyte* _bytes, _arranged;

    /// <param name="tokens">Rows at most.</param>
    /// <param name="dim">Numbers of a row at most.</param>
    /// <param name="isFar">Whether matrices come from memory each time.</param>
    public QuantizedActivations(int tokens, int dim, bool isFar)
    {
        (_tokens, _dim, _width, _isFar) = (tokens, dim, TernaryProduct.Width, isFar);
        var arranged = tokens * ArrangedActivations.TokenBytes(dim, _width);
        var natural = tokens * Padded(dim);
        var floats = Padded(dim) * sizeof(float);
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)(arranged + natural + floats + tokens * 2L * sizeof(float)), 64);
        _arranged = (sbyte*)_memory;
        _bytes = _arranged + arranged;
        _floats = (float*)(_bytes + natural);
        _factors = (float*)((byte*)_floats + floats);
        _sums = (int*)(_factors + tokens);
    }

    /// <summary>The product of the rows with a matrix, for <see cref="TernaryProduct.Run"/>; y is [row, output].</summary>
    /// <param name="x">[row, dim].</param>
    /// <param name="tokens">Rows.</param>
    /// <param name="matrix">The layer.</param>
    /// <param name="y">[row, output].</param>
    public TernaryProduct Multiply(float* x, int tokens, in PackedMatrix matrix, float* y)
    {
        if (tokens > _tokens || matrix.Dim > _dim)
            throw new ArgumentOutOfRangeException(nameof(tokens), $"{tokens} rows of {matrix.Dim}, and there is room for {_tokens} of {_dim}.");
        // One token in vectors of a block's size is arranged as it lies.
        var asItLies = tokens == 1 && _width == TernaryPacking.BlockBytes;
        Simd.Run(new Rows(this, x, tokens, matrix, asItLies ? _arranged : _bytes, asItLies ? Padded(matrix.Dim) : matrix.Dim));
        if (!asItLies)
        {
            var tokenBytes = ArrangedActivations.TokenBytes(matrix.Dim, _width);
            int tile;
            for (var token = 0; token < tokens; token += tile)
            {
                tile = ArrangedActivations.TileOf(tokens - token);
                ArrangedActivations.Arrange(_bytes + (long)token * matrix.Dim, tile, matrix.Dim, _width, _arranged + token * tokenBytes);
            }
        }
        return new TernaryProduct
        {
            Codes = matrix.Codes,
            Rows = matrix.Rows,
            Dim = matrix.Dim,
            Tokens = tokens,
            Arranged = _arranged,
            Sums = _sums,
            Factors = _factors,
            Y = y,
            IsFar = _isFar,
        };
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    private static int Padded(int dim) => (dim + TernaryPacking.BlockWeights - 1) / TernaryPacking.BlockWeights * TernaryPacking.BlockWeights;

    /// <summary>Quantises the rows.</summary>
    private readonly struct Rows(QuantizedActivations owner, float* x, int tokens, PackedMatrix matrix, sbyte* target, int stride) : ISimdKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            for (var token = 0; token < tokens; token++)
            {
                var about = RowQuantizer.Run<V>(x + (long)token * matrix.Dim, matrix.Norm, matrix.Dim, Epsilon, owner._floats);
                RowQuantizer.Narrow(owner._floats, matrix.Dim, target + (long)token * stride, stride);
                owner._factors[token] = TernaryScale.Factor(matrix.Scale, about.Scale);
                owner._sums[token] = about.Sum;
            }
        }
    }
}
