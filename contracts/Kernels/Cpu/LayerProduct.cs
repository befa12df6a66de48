using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Zoo.Native;
using static TorchSharp.torch;

namespace Zoo.Kernels.Cpu;

/// <summary>
/// Products as large as a layer's, for kernels: libtorch's own, on the kernel's memory. They reach the machine's rate, and use libtorch's threads.
/// </summary>
/// <remarks>Nothing is copied. A call costs about 10 µs beside the product.</remarks>
public static unsafe class LayerProduct
{
    /// <summary>c = factor · a b, added to what is there or in its place.</summary>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n]; overlaps neither.</param>
    /// <param name="factor">On the product.</param>
    /// <param name="add">Whether it is added to c; c may hold anything otherwise.</param>
    /// <exception cref="ShapeException">Sizes do not fit.</exception>
    public static void Run(HostMatrix a, HostMatrix b, HostMatrix c, float factor = 1, bool add = false)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        Tensor left = View(a), right = View(b), target = View(c);
        var (m, k, n) = (left.size(0), left.size(1), right.size(1));
        if (right.size(0) != k || target.size(0) != m || target.size(1) != n)
            throw new ShapeException($"A product of {Shape.Describe(left.shape)} and {Shape.Describe(right.shape)} does not fit {Shape.Describe(target.shape)}.");
        if (m == 0 || n == 0)
            return;
        if (k == 0 && !add)
            target.zero_();
        else if (k > 0)
            target.addmm_(left, right, add ? 1 : 0, factor);
    }

    private static Tensor View(HostMatrix matrix)
    {
        var span = matrix.Rows == 0 || matrix.Columns == 0 ? 0 : (matrix.Rows - 1) * matrix.RowStride + matrix.Columns;
        var view = TensorMemory.Borrow(matrix.Data, &Nothing, [span], ScalarType.Float32).as_strided([matrix.Rows, matrix.Columns], [matrix.RowStride, 1]);
        return matrix.IsTransposed ? view.t() : view;
    }

    /// <summary>The memory is the kernel's: nothing to release.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Nothing(nint data)
    {
    }
}
