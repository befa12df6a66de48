using Zoo.Kernels;
using Zoo.MatMulFree.Ops.Kernels;
using Zoo.MatMulFree.Ops.TernaryMatmul;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Model;

/// <summary>
/// Initialises large matrices piece by piece in a smaller form, so that they are never whole in float32. The numbers are those that the matrix would
/// get at once.
/// </summary>
internal static unsafe class PiecewiseInitial
{
    /// <summary>Rows of a piece are a multiple of this: libtorch draws normal numbers sixteen at a time.</summary>
    private const long RowsTogether = 16;

    private const long NumbersOfPiece = 1 << 17;

    /// <summary>The piece, kept from matrix to matrix: given back in between, its place in the heap would be taken by codes, and a new one made each time.</summary>
    [ThreadStatic]
    private static Tensor? _memory;

    /// <summary>Gives back what is kept between matrices; for when a model is complete.</summary>
    public static void Release()
    {
        _memory?.Dispose();
        _memory = null;
    }

    /// <summary>A ternary matrix, packed. Its scale needs the whole matrix first, so everything is drawn twice.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="dim">Weights of a row.</param>
    /// <param name="initialise">Fills a float32 tensor from the random generator.</param>
    /// <returns>uint8 [row, bytes], and w_scale as float32 [1].</returns>
    public static (Tensor Codes, Tensor Scale) Ternary(long rows, long dim, Action<Tensor> initialise)
    {
        using var scope = NewDisposeScope();
        var rowBytes = TernaryPacking.RowBytes(dim);
        var codes = empty([rows, rowBytes], ScalarType.Byte);
        var scaleTensor = empty(1);
        if (codes.device_type != TorchSharp.DeviceType.META)
        {
            var before = Generator.Default.get_state();
            var scale = new WeightScale();
            Run(rows, dim, initialise, (_, piece) => scale.Add(KernelArray.Of(piece).Float32, piece.numel()));
            Generator.Default.set_state(before);
            var value = scale.Value;
            var target = (byte*)KernelArray.Of(codes).Pointer;
            Run(rows, dim, initialise, (first, piece) => TernaryPacking.Pack(KernelArray.Of(piece).Float32, piece.shape[0], dim, value, target + first * rowBytes));
            *KernelArray.Of(scaleTensor).Float32 = value;
        }
        return (codes.MoveToOuterDisposeScope(), scaleTensor.MoveToOuterDisposeScope());
    }

    /// <summary>A matrix in bfloat16.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="dim">Numbers of a row.</param>
    /// <param name="initialise">Fills a float32 tensor.</param>
    public static Tensor BFloat16(long rows, long dim, Action<Tensor> initialise)
    {
        using var scope = NewDisposeScope();
        var table = empty([rows, dim], ScalarType.BFloat16);
        if (table.device_type != TorchSharp.DeviceType.META)
        {
            Run(rows, dim, initialise, (first, piece) =>
            {
                using var part = table.narrow(0, first, piece.shape[0]);
                part.copy_(piece);
            });
        }
        return table.MoveToOuterDisposeScope();
    }

    private static void Run(long rows, long dim, Action<Tensor> initialise, Action<long, Tensor> use)
    {
        var most = Math.Max(1, NumbersOfPiece / Math.Max(1, dim) / RowsTogether) * RowsTogether;
        if (_memory is null || _memory.numel() < (most + RowsTogether) * dim)
        {
            _memory?.Dispose();
            _memory = empty((most + RowsTogether) * dim).DetachFromDisposeScope();
        }
        for (long first = 0; first < rows;)
        {
            // A last piece of less than sixteen numbers would be drawn in another way, so it goes with the one before.
            var count = rows - first < most + RowsTogether ? rows - first : most;
            using var flat = _memory.narrow(0, 0, count * dim);
            using var piece = flat.view(count, dim);
            initialise(piece);
            use(first, piece);
            first += count;
        }
    }
}
