using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Rotary position embedding in C#; backward is the rotation by the opposite angle.</summary>
internal sealed unsafe class RopeCpu : OpKernel
{
    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays) =>
        Turn(call, arrays, arrays["x"].Float32, arrays["y"].Float32, direction: 1);

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        if (arrays.Gradient("x") is not { IsPresent: true } target)
            return;
        if (arrays.Gradient("y").IsPresent)
            Turn(call, arrays, arrays.Gradient("y").Float32, target.Float32, direction: -1);
        else
            target.Span.Clear();
    }

    private static void Turn(OpCall call, KernelArrays arrays, float* source, float* target, float direction)
    {
        var (batch, length, heads, half) = (call.Count("B"), call.Count("L"), call.Count("H"), call.Count("E"));
        float* cos = arrays["cos"].Float32, sin = arrays["sin"].Float32;
        const int RowsOfAPiece = 64;
        var rows = batch * length;
        WorkShare.For((rows + RowsOfAPiece - 1) / RowsOfAPiece, i =>
        {
            var first = i * RowsOfAPiece;
            Simd.Run(new Pass(first, Math.Min(RowsOfAPiece, rows - first), length, heads, half, cos, sin, source, target, direction));
        });
    }

    private readonly struct Pass(
        int first, int rows, int length, int heads, int half, float* cos, float* sin, float* source, float* target, float direction) : ISimdKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            for (var row = first; row < first + rows; row++)
            {
                var angle = (long)(row % length) * half;
                for (var head = 0; head < heads; head++)
                {
                    var at = ((long)row * heads + head) * 2 * half;
                    Pairs<V>(source + at, target + at, cos + angle, sin + angle, half, direction);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Pairs<V>(float* x, float* y, float* cos, float* sin, int half, float direction)
            where V : struct, ILanes<V>
        {
            var sign = V.Create(direction);
            var i = 0;
            for (; i + V.Count <= half; i += V.Count)
            {
                V a = V.Load(x + i), b = V.Load(x + half + i), c = V.Load(cos + i), s = V.Load(sin + i) * sign;
                (a * c - b * s).Store(y + i);
                V.MultiplyAdd(b, c, a * s).Store(y + half + i);
            }
            for (; i < half; i++)
            {
                float a = x[i], b = x[half + i], s = sin[i] * direction;
                y[i] = a * cos[i] - b * s;
                y[half + i] = b * cos[i] + a * s;
            }
        }
    }
}
