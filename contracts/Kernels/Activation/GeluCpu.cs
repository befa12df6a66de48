using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>GELU in C#, one pass forward and one backward, which needs x alone.</summary>
internal sealed unsafe class GeluCpu : OpKernel
{
    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        float* x = arrays["x"].Float32, y = arrays["y"].Float32;
        var tanh = Gelu.UsesTanh(call.Options);
        Elementwise.Share(arrays["x"].Length, (first, count) => Simd.Run(new Pass(tanh, x + first, null, y + first, count)));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        if (arrays.Gradient("x") is not { IsPresent: true } target)
            return;
        if (!arrays.Gradient("y").IsPresent)
        {
            target.Span.Clear();
            return;
        }
        float* x = arrays["x"].Float32, gradY = arrays.Gradient("y").Float32, gradX = target.Float32;
        var tanh = Gelu.UsesTanh(call.Options);
        Elementwise.Share(target.Length, (first, count) => Simd.Run(new Pass(tanh, x + first, gradY + first, gradX + first, count)));
    }

    /// <summary>Some elements: y, or with the gradient of y that of x.</summary>
    private readonly struct Pass(bool tanh, float* x, float* gradY, float* target, int count) : ISimdKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            if (gradY == null)
            {
                if (tanh)
                    Forward<V, TanhGelu>(x, target, count);
                else
                    Forward<V, NormalGelu>(x, target, count);
            }
            else if (tanh)
            {
                Backward<V, TanhGelu>(x, gradY, target, count);
            }
            else
            {
                Backward<V, NormalGelu>(x, gradY, target, count);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Forward<V, F>(float* x, float* y, int count)
            where V : struct, ILanes<V>
            where F : struct, IGeluForm
        {
            var i = 0;
            for (; i + 2 * V.Count <= count; i += 2 * V.Count)
            {
                V a = V.Load(x + i), b = V.Load(x + i + V.Count);
                F.Values(ref a, ref b);
                a.Store(y + i);
                b.Store(y + i + V.Count);
            }
            for (; i < count; i += V.Count)
            {
                var left = Math.Min(V.Count, count - i);
                V a = V.LoadPartial(x + i, left), b = a;
                F.Values(ref a, ref b);
                a.StorePartial(y + i, left);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Backward<V, F>(float* x, float* gradY, float* gradX, int count)
            where V : struct, ILanes<V>
            where F : struct, IGeluForm
        {
            var i = 0;
            for (; i + 2 * V.Count <= count; i += 2 * V.Count)
            {
                V a = V.Load(x + i), b = V.Load(x + i + V.Count);
                F.Slopes(ref a, ref b);
                (V.Load(gradY + i) * a).Store(gradX + i);
                (V.Load(gradY + i + V.Count) * b).Store(gradX + i + V.Count);
            }
            for (; i < count; i += V.Count)
            {
                var left = Math.Min(V.Count, count - i);
                V a = V.LoadPartial(x + i, left), b = a;
                F.Slopes(ref a, ref b);
                (V.LoadPartial(gradY + i, left) * a).StorePartial(gradX + i, left);
            }
        }
    }
}
