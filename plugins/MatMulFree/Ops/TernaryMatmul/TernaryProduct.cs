using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Zoo.Kernels.Cpu;
using Zoo.MatMulFree.Ops.Kernels;

namespace Zoo.MatMulFree.Ops.TernaryMatmul;

/// <summary>Rows of a packed ternary matrix times the arranged activations of some tokens.</summary>
/// <remarks>README.md beside this file says why these operations.</remarks>
internal unsafe struct TernaryProduct
{
    /// <summary>Vectors of codes after which numbers of 16 bits could overflow: each adds at most 2048 in magnitude.</summary>
    private const int StepsOfInt16 = 16;

    /// <summary>As above where some sums are four times as large.</summary>
    private const int StepsOfScaledInt16 = 8;

    /// <summary>Rows whose partial sums stay in the first cache.</summary>
    private const int RowsOfBlock = 16;

    /// <summary>As above for one token alone, of which each row has one vector of sums.</summary>
    private const int RowsOfLargeBlock = 256;

    private const int RowsTogether = 4;

    /// <summary>By which the sums of one token are too large: see <see cref="SumRows"/>.</summary>
    private const int ShiftOfSums = 2;

    /// <summary>How far ahead codes are asked for from memory: more than what comes in while a line is on its way.</summary>
    private const int Ahead = 4096;

    private const int LineBytes = 64;

    /// <summary>Codes that a machine's last cache keeps from one product to the next, if nothing else is read between them.</summary>
    private const long NearBytes = 16 << 20;

    public byte* Codes;                    // of the whole matrix
    public int Rows, Dim, Tokens;
    public sbyte* Arranged;                // tiles, one after the other
    public int* Sums;                      // Σ x of each token
    public float* Factors;                 // TernaryScale.Factor of each token
    public float* Bias;                    // null for none
    public float* Y;                       // [token, row]
    public bool IsFar;                     // whether codes come from memory, so that they are worth asking for ahead

    /// <summary>Whether codes that are multiplied again and again come from memory each time.</summary>
    public static bool AreFar(long bytes) => bytes > NearBytes;

    /// <summary>Bytes of the vectors that this process uses.</summary>
    public static int Width => Simd.Bits / 8;

    /// <summary>Rows of the matrix that a thread takes at once.</summary>
    private const int RowsOfPiece = 64;

    private const long WeightsWorthSharing = 1 << 19;

    /// <summary>Whether threads would take longer to wake than the product.</summary>
    public readonly bool IsSmall => (long)Tokens * Rows * Dim < WeightsWorthSharing;

    /// <summary>Pieces that threads may share.</summary>
    public readonly int Pieces => (Rows + RowsOfPiece - 1) / RowsOfPiece;

    /// <summary>Multiplies the rows of a piece.</summary>
    public readonly void RunPiece(int index) => Run(index * RowsOfPiece, Math.Min(RowsOfPiece, Rows - index * RowsOfPiece));

    /// <summary>Multiplies some of the rows.</summary>
    /// <param name="first">The first row.</param>
    /// <param name="count">How many.</param>
    public readonly void Run(int first, int count)
    {
        switch (Simd.Bits)
        {
            case 512:
                Run<Bytes512>(first, first + count);
                break;
            case 256:
                Run<Bytes256>(first, first + count);
                break;
            default:
                Run<Bytes128>(first, first + count);
                break;
        }
    }

    private readonly void Run<V>(int first, int end)
        where V : struct, IByteLanes<V>
    {
        var rowBytes = TernaryPacking.RowBytes(Dim);
        var tokenBytes = ArrangedActivations.TokenBytes(Dim, V.Count);
        var block = Tokens == 1 ? RowsOfLargeBlock : RowsOfBlock;
        for (var row = first; row < end; row += block)
        {
            // The codes of a block of rows stay in the first cache from tile to tile.
            var rows = Math.Min(block, end - row);
            int tile;
            for (var token = 0; token < Tokens; token += tile)
            {
                tile = ArrangedActivations.TileOf(Tokens - token);
                var x = Arranged + token * tokenBytes;
                if (tile == ArrangedActivations.LargeTile)
                    MultiplyEight<V>(row, rows, token, x, rowBytes);
                else if (tile == ArrangedActivations.SmallTile)
                    MultiplyFour<V>(row, rows, token, x, rowBytes);
                else
                    MultiplyOne<V>(row, rows, token, x, rowBytes);
            }
        }
    }

    /// <summary>One token.</summary>
    [SkipLocalsInit]
    private readonly void MultiplyOne<V>(int row, int rows, int token, sbyte* x, long rowBytes)
        where V : struct, IByteLanes<V>
    {
        var sums = stackalloc byte[rows * V.Count];               // of 32 bits, a vector for each row
        SumRows<V>(Codes + row * rowBytes, rows, rowBytes, x, sums, IsFar && Sse.IsSupported);
        WriteTile<V>(sums, 1, row, rows, token, ShiftOfSums);
    }

    /// <summary>
    /// Four times the sums of some rows' products with one token, a vector for each. Two of the four codes of a byte are masked where they stand,
    /// four times as large, which spares shifts.
    /// </summary>
    /// <remarks>
    /// One row at a time, four vectors of codes side by side: so many that sums of 16 bits last for a long row, and what comes between rows stays
    /// small. Rows that shared their activations would save loads, of which there is room for more, and have the compiler put sums into memory or
    /// move them between registers, for which there is none.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SumRows<V>(byte* w, int rows, long rowBytes, sbyte* x, byte* sums, bool isFar)
        where V : struct, IByteLanes<V>
    {
        V low = V.Create((byte)0x03), high = V.Create((byte)0x0C);
        V one = V.Create((short)1), four = V.Create((short)4);
        var width = V.Count;
        var turnBytes = 4 * width;
        var wholeBytes = rowBytes / turnBytes * turnBytes;
        for (; rows > 0; rows--)
        {
            var p = x;
            var total = V.Zero;
            byte* end = w + wholeBytes;
            while (w < end)
            {
                V a0 = V.Zero, a1 = V.Zero, b0 = V.Zero, b1 = V.Zero, b2 = V.Zero, b3 = V.Zero;
                byte* stop = end - w > StepsOfScaledInt16 * turnBytes ? w + StepsOfScaledInt16 * turnBytes : end;
                // Some lines at a time: line by line in the loop below, fewer would be under way. From a cache the hardware brings them by itself.
                for (byte* line = isFar ? w : stop; line < stop; line += LineBytes)
                    Sse.Prefetch0(line + Ahead);
                do
                {
                    AddTwo(w, p, low, high, ref a0, ref a1, ref b0, ref b1);
                    AddTwo(w + 2 * width, p + 8 * width, low, high, ref a0, ref a1, ref b2, ref b3);
                    w += turnBytes;
                    p += 4 * turnBytes;
                }
                while (w < stop);
                // The sums that are not four times as large have room for each other.
                total = V.AddInt32(total, V.MultiplyInt16(V.AddInt16(a0, a1), four));
                total = V.AddInt32(total, V.AddInt32(V.MultiplyInt16(b0, one), V.MultiplyInt16(b1, one)));
                total = V.AddInt32(total, V.AddInt32(V.MultiplyInt16(b2, one), V.MultiplyInt16(b3, one)));
            }
            if (wholeBytes < rowBytes)
            {
                V a = V.Zero, b = V.Zero;
                end += rowBytes - wholeBytes;
                for (; w < end; w += width, p += 4 * width)
                {
                    var codes = end - w >= width ? V.Load(w) : V.LoadBlock(w);
                    var upper = V.ShiftRight(codes, 4);
                    a.AccumulateInt16(V.MultiplyLoadedBytes(codes & low, p));
                    b.AccumulateInt16(V.MultiplyLoadedBytes(codes & high, p + width));
                    a.AccumulateInt16(V.MultiplyLoadedBytes(upper & low, p + 2 * width));
                    b.AccumulateInt16(V.MultiplyLoadedBytes(upper & high, p + 3 * width));
                }
                total = V.AddInt32(total, V.AddInt32(V.MultiplyInt16(a, four), V.MultiplyInt16(b, one)));
                w = end;
            }
            total.Store(sums);
            sums += width;
        }
    }

    /// <summary>Products of two vectors of codes, in an order that keeps more of a core's vector units busy than one vector after the other: 2 %.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTwo<V>(byte* w, sbyte* p, V low, V high, ref V a0, ref V a1, ref V b0, ref V b1)
        where V : struct, IByteLanes<V>
    {
        var width = V.Count;
        V codes0 = V.Load(w), codes1 = V.Load(w + width);
        V upper0 = V.ShiftRight(codes0, 4), upper1 = V.ShiftRight(codes1, 4);
        V c0 = codes0 & low, c1 = codes1 & low;
        c0 = V.MultiplyLoadedBytes(c0, p);
        c1 = V.MultiplyLoadedBytes(c1, p + 4 * width);
        a0.AccumulateInt16(c0);
        a1.AccumulateInt16(c1);
        c0 = codes0 & high;
        c1 = codes1 & high;
        c0 = V.MultiplyLoadedBytes(c0, p + width);
        c1 = V.MultiplyLoadedBytes(c1, p + 5 * width);
        b0.AccumulateInt16(c0);
        b1.AccumulateInt16(c1);
        c0 = upper0 & low;
        c1 = upper1 & low;
        c0 = V.MultiplyLoadedBytes(c0, p + 2 * width);
        c1 = V.MultiplyLoadedBytes(c1, p + 6 * width);
        a0.AccumulateInt16(c0);
        a1.AccumulateInt16(c1);
        c0 = upper0 & high;
        c1 = upper1 & high;
        c0 = V.MultiplyLoadedBytes(c0, p + 3 * width);
        c1 = V.MultiplyLoadedBytes(c1, p + 7 * width);
        b0.AccumulateInt16(c0);
        b1.AccumulateInt16(c1);
    }

    /// <summary>Eight tokens: codes are taken apart once for all of them.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void MultiplyEight<V>(int row, int rows, int token, sbyte* x, long rowBytes)
        where V : struct, IByteLanes<V>
    {
        const int tile = ArrangedActivations.LargeTile;
        V mask = V.Create((byte)0x03), one = V.Create((short)1);
        var width = V.Count;
        var steps = (int)((rowBytes + width - 1) / width);
        var wholeSteps = (int)(rowBytes / width);
        var partial = stackalloc byte[RowsOfBlock * tile * width];       // sums of 32 bits, a vector for each row and token
        for (var start = 0; start == 0 || start < steps; start += StepsOfInt16)     // once at least: it fills the sums
        {
            var end = Math.Min(steps, start + StepsOfInt16);
            for (var r = 0; r < rows; r++)
            {
                var w = Codes + (row + r) * rowBytes + (long)start * width;
                var p = x + (long)start * tile * 4 * width;
                V a0 = V.Zero, a1 = V.Zero, a2 = V.Zero, a3 = V.Zero, a4 = V.Zero, a5 = V.Zero, a6 = V.Zero, a7 = V.Zero;
                for (var step = start; step < end; step++)
                {
                    var codes = step < wholeSteps ? V.Load(w) : V.LoadBlock(w);
                    V c0 = codes & mask, c1 = V.ShiftRight(codes, 2) & mask, c2 = V.ShiftRight(codes, 4) & mask, c3 = V.ShiftRight(codes, 6) & mask;
                    a0.AccumulateInt16(Products(c0, c1, c2, c3, p));
                    a1.AccumulateInt16(Products(c0, c1, c2, c3, p + 4 * width));
                    a2.AccumulateInt16(Products(c0, c1, c2, c3, p + 8 * width));
                    a3.AccumulateInt16(Products(c0, c1, c2, c3, p + 12 * width));
                    a4.AccumulateInt16(Products(c0, c1, c2, c3, p + 16 * width));
                    a5.AccumulateInt16(Products(c0, c1, c2, c3, p + 20 * width));
                    a6.AccumulateInt16(Products(c0, c1, c2, c3, p + 24 * width));
                    a7.AccumulateInt16(Products(c0, c1, c2, c3, p + 28 * width));
                    w += width;
                    p += tile * 4 * width;
                }
                var t = partial + (long)r * tile * width;
                if (start == 0)
                {
                    V.MultiplyInt16(a0, one).Store(t);
                    V.MultiplyInt16(a1, one).Store(t + width);
                    V.MultiplyInt16(a2, one).Store(t + 2 * width);
                    V.MultiplyInt16(a3, one).Store(t + 3 * width);
                    V.MultiplyInt16(a4, one).Store(t + 4 * width);
                    V.MultiplyInt16(a5, one).Store(t + 5 * width);
                    V.MultiplyInt16(a6, one).Store(t + 6 * width);
                    V.MultiplyInt16(a7, one).Store(t + 7 * width);
                }
                else
                {
                    V.AddInt32(V.Load(t), V.MultiplyInt16(a0, one)).Store(t);
                    V.AddInt32(V.Load(t + width), V.MultiplyInt16(a1, one)).Store(t + width);
                    V.AddInt32(V.Load(t + 2 * width), V.MultiplyInt16(a2, one)).Store(t + 2 * width);
                    V.AddInt32(V.Load(t + 3 * width), V.MultiplyInt16(a3, one)).Store(t + 3 * width);
                    V.AddInt32(V.Load(t + 4 * width), V.MultiplyInt16(a4, one)).Store(t + 4 * width);
                    V.AddInt32(V.Load(t + 5 * width), V.MultiplyInt16(a5, one)).Store(t + 5 * width);
                    V.AddInt32(V.Load(t + 6 * width), V.MultiplyInt16(a6, one)).Store(t + 6 * width);
                    V.AddInt32(V.Load(t + 7 * width), V.MultiplyInt16(a7, one)).Store(t + 7 * width);
                }
            }
        }
        WriteTile<V>(partial, tile, row, rows, token, shift: 0);
    }

    /// <summary>Four tokens, likewise.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void MultiplyFour<V>(int row, int rows, int token, sbyte* x, long rowBytes)
        where V : struct, IByteLanes<V>
    {
        const int tile = ArrangedActivations.SmallTile;
        V mask = V.Create((byte)0x03), one = V.Create((short)1);
        var width = V.Count;
        var steps = (int)((rowBytes + width - 1) / width);
        var wholeSteps = (int)(rowBytes / width);
        var partial = stackalloc byte[RowsOfBlock * tile * width];
        for (var start = 0; start == 0 || start < steps; start += StepsOfInt16)     // once at least: it fills the sums
        {
            var end = Math.Min(steps, start + StepsOfInt16);
            for (var r = 0; r < rows; r++)
            {
                var w = Codes + (row + r) * rowBytes + (long)start * width;
                var p = x + (long)start * tile * 4 * width;
                V a0 = V.Zero, a1 = V.Zero, a2 = V.Zero, a3 = V.Zero;
                for (var step = start; step < end; step++)
                {
                    var codes = step < wholeSteps ? V.Load(w) : V.LoadBlock(w);
                    V c0 = codes & mask, c1 = V.ShiftRight(codes, 2) & mask, c2 = V.ShiftRight(codes, 4) & mask, c3 = V.ShiftRight(codes, 6) & mask;
                    a0.AccumulateInt16(Products(c0, c1, c2, c3, p));
                    a1.AccumulateInt16(Products(c0, c1, c2, c3, p + 4 * width));
                    a2.AccumulateInt16(Products(c0, c1, c2, c3, p + 8 * width));
                    a3.AccumulateInt16(Products(c0, c1, c2, c3, p + 12 * width));
                    w += width;
                    p += tile * 4 * width;
                }
                var t = partial + (long)r * tile * width;
                var isFirst = start == 0;
                V.AddInt32(isFirst ? V.Zero : V.Load(t), V.MultiplyInt16(a0, one)).Store(t);
                V.AddInt32(isFirst ? V.Zero : V.Load(t + width), V.MultiplyInt16(a1, one)).Store(t + width);
                V.AddInt32(isFirst ? V.Zero : V.Load(t + 2 * width), V.MultiplyInt16(a2, one)).Store(t + 2 * width);
                V.AddInt32(isFirst ? V.Zero : V.Load(t + 3 * width), V.MultiplyInt16(a3, one)).Store(t + 3 * width);
            }
        }
        WriteTile<V>(partial, tile, row, rows, token, shift: 0);
    }

    /// <summary>The products of a token with 128 weights' codes, added up as far as numbers of 16 bits go.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Products<V>(V c0, V c1, V c2, V c3, sbyte* x)
        where V : struct, IByteLanes<V> => V.AddInt16(
            V.AddInt16(V.MultiplyLoadedBytes(c0, x), V.MultiplyLoadedBytes(c1, x + V.Count)),
            V.AddInt16(V.MultiplyLoadedBytes(c2, x + 2 * V.Count), V.MultiplyLoadedBytes(c3, x + 3 * V.Count)));

    /// <summary>Outputs of a tile: codes are weights plus one, so Σ x comes off the sums; then as <see cref="TernaryScale.Apply"/>, and the bias.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void WriteTile<V>(byte* partial, int tile, int row, int rows, int token, int shift)
        where V : struct, IByteLanes<V>
    {
        var stride = (long)tile * V.Count;
        var whole = rows / RowsTogether * RowsTogether;
        var bias = Bias == null ? null : Bias + row;
        for (var j = 0; j < tile; j++, token++)
        {
            var sums = partial + (long)j * V.Count;
            var (offset, factor) = (Sums[token], Factors[token]);
            var y = Y + (long)token * Rows + row;
            for (var r = 0; r < whole; r += RowsTogether, sums += RowsTogether * stride)
            {
                var four = V.Sums(V.Load(sums), V.Load(sums + stride), V.Load(sums + 2 * stride), V.Load(sums + 3 * stride));
                var values = Vector128.ConvertToSingle((four >> shift) - Vector128.Create(offset)) * factor;
                (bias == null ? values : values + Vector128.Load(bias + r)).Store(y + r);
            }
            for (var r = whole; r < rows; r++, sums += stride)
            {
                var last = V.Load(sums);
                var value = TernaryScale.Apply((V.Sums(last, last, last, last).ToScalar() >> shift) - offset, factor);
                y[r] = bias == null ? value : value + bias[r];
            }
        }
    }
}
