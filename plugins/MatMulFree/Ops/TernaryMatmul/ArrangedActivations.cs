using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Zoo.MatMulFree.Ops.TernaryMatmul;

/// <summary>
/// Activations in the order in which a product meets them: for each vector of codes of a row, for each token of a tile, the four vectors of
/// activations that its bits belong to.
/// </summary>
internal static unsafe class ArrangedActivations
{
    /// <summary>Tokens that share the work of taking codes apart.</summary>
    public const int LargeTile = 8;

    /// <inheritdoc cref="LargeTile"/>
    public const int SmallTile = 4;

    private const int Parts = TernaryPacking.BlockWeights / TernaryPacking.BlockBytes;

    /// <summary>Tokens of the tile that begins at a token.</summary>
    public static int TileOf(int tokensLeft) => tokensLeft >= LargeTile ? LargeTile : tokensLeft >= SmallTile ? SmallTile : 1;

    /// <summary>Bytes of a token for vectors of <paramref name="width"/> bytes.</summary>
    public static long TokenBytes(int dim, int width) => Steps(dim, width) * Parts * width;

    /// <summary>Vectors of codes in a row, the last perhaps of half a vector.</summary>
    public static long Steps(int dim, int width) => (TernaryPacking.RowBytes(dim) + width - 1) / width;

    /// <summary>Whether activations are in order as they lie: one token's of whole blocks, for vectors of a block's size.</summary>
    public static bool IsNatural(int tokens, int dim, int width) => tokens == 1 && width == TernaryPacking.BlockBytes && dim % TernaryPacking.BlockWeights == 0;

    /// <summary>Arranges a tile.</summary>
    /// <param name="x">[tokens, dim].</param>
    /// <param name="tokens">Of the tile.</param>
    /// <param name="dim">Of a token.</param>
    /// <param name="width">Bytes of a vector.</param>
    /// <param name="arranged">Room for the tile's <see cref="TokenBytes"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Arrange(sbyte* x, int tokens, int dim, int width, sbyte* arranged)
    {
        var steps = Steps(dim, width);
        var piece = Math.Min(width, TernaryPacking.BlockBytes);           // bytes whose activations follow each other
        for (var token = 0; token < tokens; token++)
        {
            var source = x + (long)token * dim;
            for (long step = 0; step < steps; step++)
            {
                var target = arranged + (step * tokens + token) * Parts * width;
                for (var part = 0; part < Parts; part++)
                {
                    for (var at = 0; at < width; at += piece)
                    {
                        var code = step * width + at;
                        var first = code / TernaryPacking.BlockBytes * TernaryPacking.BlockWeights + part * TernaryPacking.BlockBytes + code % TernaryPacking.BlockBytes;
                        var count = (int)Math.Clamp(dim - first, 0, piece);
                        if (count == TernaryPacking.BlockBytes)
                        {
                            Vector256.Load(source + first).Store(target + part * width + at);
                            continue;
                        }
                        var to = new Span<sbyte>(target + part * width + at, piece);
                        new ReadOnlySpan<sbyte>(source + first, count).CopyTo(to);
                        to[count..].Clear();
                    }
                }
            }
        }
    }

    /// <summary>Σ x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Sum(sbyte* x, int count)
    {
        var sums = Vector256<int>.Zero;
        var i = 0;
        for (; i <= count - Vector128<sbyte>.Count; i += Vector128<sbyte>.Count)
        {
            var (low, high) = Vector256.Widen(Vector256.WidenLower(Vector128.Load(x + i).ToVector256Unsafe()));
            sums += low + high;
        }
        var sum = Vector256.Sum(sums);
        for (; i < count; i++)
            sum += x[i];
        return sum;
    }
}
