using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.MatMulFree.Ops.GatedHalves;

/// <summary>The gated unit in C#, one pass forward and one backward, which needs its input alone.</summary>
internal sealed unsafe class GatedHalvesCpu : OpKernel
{
    private const long NumbersOfAPiece = 1 << 14;

    public override string Backend => KernelChoice.Cpu;

    public override bool ReadsOutput(string output) => false;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        float* x = arrays["x"].Float32, y = arrays["y"].Float32;
        var dim = call.Count("E") / 2;
        Share(call, (first, end) => Simd.Run(new Rows(x, dim, first, end) { Y = y }));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var target = arrays.Gradient("x");
        if (!target.IsPresent)
            return;
        if (!arrays.Gradient("y").IsPresent)
        {
            NativeMemory.Clear(target.Float32, (nuint)target.Bytes);
            return;
        }
        float* x = arrays["x"].Float32, given = arrays.Gradient("y").Float32, gradX = target.Float32;
        var dim = call.Count("E") / 2;
        Share(call, (first, end) => Simd.Run(new Rows(x, dim, first, end) { GradY = given, GradX = gradX }));
    }

    /// <summary>The forward of some rows, by this thread.</summary>
    /// <param name="x">[row, 2 · dim].</param>
    /// <param name="dim">Of a half.</param>
    /// <param name="rows">How many.</param>
    /// <param name="y">[row, dim].</param>
    public static void Run(float* x, int dim, int rows, float* y) => Simd.Run(new Rows(x, dim, 0, rows) { Y = y });

    private static void Share(OpCall call, Action<long, long> body)
    {
        var rows = call.Size("B") * call.Size("L");
        var pieces = (int)Math.Clamp(rows * call.Size("E") / NumbersOfAPiece, 1, Math.Max(1, rows));
        WorkShare.For(pieces, piece => body(rows * piece / pieces, rows * (piece + 1) / pieces));
    }

    private struct Rows(float* x, int dim, long first, long end) : ISimdKernel
    {
        public float* Y;                // null: backward
        public float* GradY, GradX;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run<V>()
            where V : struct, ILanes<V>
        {
            for (var row = first; row < end; row++)
            {
                float* gate = x + row * 2 * dim, half = gate + dim;
                if (Y != null)
                    Forward<V>(gate, half, Y + row * dim, dim);
                else
                    Backward<V>(gate, half, GradY + row * dim, GradX + row * 2 * dim, dim);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Forward<V>(float* gate, float* value, float* y, int count)
            where V : struct, ILanes<V>
        {
            var one = V.Create(1);
            var i = 0;
            for (; i + 2 * V.Count <= count; i += 2 * V.Count)
            {
                V a = V.Load(gate + i), b = V.Load(gate + i + V.Count);
                VectorMath.ExpBounded(-a, -b, out var ofA, out var ofB);
                (a / (one + ofA) * V.Load(value + i)).Store(y + i);
                (b / (one + ofB) * V.Load(value + i + V.Count)).Store(y + i + V.Count);
            }
            for (; i < count; i += V.Count)
            {
                var rest = Math.Min(V.Count, count - i);
                var a = V.LoadPartial(gate + i, rest);
                (a / (one + VectorMath.ExpBounded(-a)) * V.LoadPartial(value + i, rest)).StorePartial(y + i, rest);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Backward<V>(float* gate, float* value, float* given, float* target, int count)
            where V : struct, ILanes<V>
        {
            var one = V.Create(1);
            var ofValue = target + count;
            for (var i = 0; i < count; i += V.Count)
            {
                var rest = count - i;
                var whole = rest >= V.Count;
                var a = whole ? V.Load(gate + i) : V.LoadPartial(gate + i, rest);
                var b = whole ? V.Load(value + i) : V.LoadPartial(value + i, rest);
                var g = whole ? V.Load(given + i) : V.LoadPartial(given + i, rest);
                var s = one / (one + VectorMath.ExpBounded(-a));
                var silu = a * s;
                var toGate = g * b * V.MultiplyAdd(silu, one - s, s);              // silu' = σ + silu (1 - σ)
                var toValue = g * silu;
                if (whole)
                {
                    toGate.Store(target + i);
                    toValue.Store(ofValue + i);
                }
                else
                {
                    toGate.StorePartial(target + i, rest);
                    toValue.StorePartial(ofValue + i, rest);
                }
            }
        }
    }
}
