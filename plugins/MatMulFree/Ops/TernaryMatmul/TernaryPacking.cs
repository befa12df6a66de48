using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;
using Zoo.Kernels;
using Zoo.MatMulFree.Ops.Kernels;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Ops.TernaryMatmul;

/// <summary>How a ternary matrix lies in memory and in files, two bits a weight.</summary>
/// <remarks>
/// A weight is stored as itself plus one: 0, 1 or 2. A row is cut into blocks of 128 weights, 32 bytes each: weight k of a block has bits
/// 2 (k / 32) and 2 (k / 32) + 1 of byte k % 32. So a vector of bytes, shifted and masked, is 32 weights that follow each other. Rows
/// follow each other; each is filled up to whole blocks with zero weights (1).
/// </remarks>
internal static unsafe class TernaryPacking
{
    /// <summary>Name of the form in files.</summary>
    public const string Format = "ternary-2bit";

    /// <summary>Weights of a block.</summary>
    public const int BlockWeights = 128;

    /// <summary>Bytes of a block.</summary>
    public const int BlockBytes = 32;

    private const int ZeroByte = 0x55;

    /// <summary>Bytes of a row.</summary>
    public static long RowBytes(long dim) => (dim + BlockWeights - 1) / BlockWeights * BlockBytes;

    /// <summary>Packs rows of a matrix.</summary>
    /// <param name="weights">[row, dim] in float32.</param>
    /// <param name="rows">How many.</param>
    /// <param name="dim">Weights of a row.</param>
    /// <param name="scale">w_scale of the whole matrix.</param>
    /// <param name="codes">Where the rows go.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(float* weights, long rows, long dim, float scale, byte* codes)
    {
        var rowBytes = RowBytes(dim);
        new Span<byte>(codes, checked((int)(rows * rowBytes))).Fill(ZeroByte);
        for (long row = 0; row < rows; row++)
        {
            var w = weights + row * dim;
            var target = codes + row * rowBytes;
            for (long k = 0; k < dim; k++)
            {
                // 1 + ternary in place of the 1 that is there
                var change = WeightScale.Ternary(w[k], scale) << ShiftOf(k);
                target[ByteOf(k)] = (byte)(target[ByteOf(k)] + change);
            }
        }
    }

    /// <summary>A matrix, packed.</summary>
    /// <param name="weight">float32 [row, dim].</param>
    /// <returns>uint8 [row, bytes], and w_scale as float32 [1].</returns>
    public static (Tensor Codes, Tensor Scale) Pack(Tensor weight)
    {
        using var scope = NewDisposeScope();
        var (rows, dim) = (weight.shape[0], weight.shape[1]);
        var values = weight.detach().to(ScalarType.Float32).cpu().contiguous();
        var codes = empty([rows, RowBytes(dim)], ScalarType.Byte);
        var source = KernelArray.Of(values).Float32;
        var scale = WeightScale.Of(source, rows * dim);
        Pack(source, rows, dim, scale, (byte*)KernelArray.Of(codes).Pointer);
        GC.KeepAlive(values);
        return (codes.MoveToOuterDisposeScope(), tensor(new[] { scale }).MoveToOuterDisposeScope());
    }

    /// <summary>The ternary numbers of a packed matrix.</summary>
    /// <param name="codes">uint8 [row, bytes].</param>
    /// <param name="dim">Weights of a row.</param>
    /// <returns>int8 [row, dim], of -1, 0 and 1.</returns>
    public static Tensor Unpack(Tensor codes, long dim)
    {
        using var scope = NewDisposeScope();
        using Scalar four = (byte)4, one = (sbyte)1;
        var blocks = codes.view(codes.shape[0], -1, BlockBytes);                                             // [row, block, byte]
        var parts = new Tensor[4];
        for (var i = 0; i < parts.Length; i++)
        {
            using Scalar divisor = (byte)(1 << (2 * i));
            parts[i] = blocks.floor_divide(divisor).remainder(four);
        }
        var weights = stack(parts, dim: 2).view(codes.shape[0], -1).to(ScalarType.Int8).sub(one);             // [row, weight]
        return weights.narrow(1, 0, dim).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Whether a packed matrix has the code 3, which means nothing.</summary>
    /// <param name="codes">uint8, contiguous, on the CPU.</param>
    public static bool HasUnknownCodes(Tensor codes)
    {
        var bytes = new ReadOnlySpan<byte>((void*)KernelArray.Of(codes).Pointer, checked((int)codes.numel()));
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        const ulong low = 0x5555_5555_5555_5555;
        var found = 0UL;
        foreach (var word in words)
            found |= word & (word >> 1) & low;
        foreach (var last in bytes[(words.Length * sizeof(ulong))..])
            found |= (ulong)(last & (last >> 1)) & low;
        GC.KeepAlive(codes);
        return found != 0;
    }

    private static long ByteOf(long k) => k / BlockWeights * BlockBytes + k % BlockBytes;

    private static int ShiftOf(long k) => (int)(k % BlockWeights / BlockBytes) * 2;
}
