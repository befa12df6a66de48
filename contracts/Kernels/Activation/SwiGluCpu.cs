using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>SwiGLU in C#, one pass forward and one backward, which needs its inputs alone.</summary>
internal sealed unsafe class SwiGluCpu : OpKernel
{
    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        float* gate = arrays["gate"].Float32, up = arrays["up"].Float32, y = arrays["y"].Float32;
        Elementwise.Share(arrays["y"].Length, (first, count) => Simd.Run(new ForwardPass(gate + first, up + first, y + first, count)));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var (gradGate, gradUp) = (arrays.Gradient("gate"), arrays.Gradient("up"));
        if (!arrays.Gradient("y").IsPresent)
        {
            if (gradGate.IsPresent)
                gradGate.Span.Clear();
            if (gradUp.IsPresent)
                gradUp.Span.Clear();
            return;
        }
        float* gate = arrays["gate"].Float32, up = arrays["up"].Float32, gradY = arrays.Gradient("y").Float32;
        float* toGate = gradGate.Float32, toUp = gradUp.Float32;
        Elementwise.Share(arrays["gate"].Length, (first, count) => Simd.Run(new BackwardPass(
            gate + first, up + first, gradY + first, toGate == null ? null : toGate + first, toUp == null ? null : toUp + first, count)));
    }

    private readonly struct ForwardPass(float* gate, float* up, float* y, int count) : ISimdKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            float* g = gate, u = up, target = y;
            var i = 0;
            for (; i + V.Count <= count; i += V.Count)
                (VectorMath.Silu(V.Load(g + i)) * V.Load(u + i)).Store(target + i);
            if (i < count)
                (VectorMath.Silu(V.LoadPartial(g + i, count - i)) * V.LoadPartial(u + i, count - i)).StorePartial(target + i, count - i);
        }
    }

    private readonly struct BackwardPass(float* gate, float* up, float* gradY, float* gradGate, float* gradUp, int count) : ISimdKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            float* g = gate, u = up, gy = gradY, toGate = gradGate, toUp = gradUp;
            for (var i = 0; i < count; i += V.Count)
            {
                var whole = i + V.Count <= count;
                var rest = count - i;
                var x = whole ? V.Load(g + i) : V.LoadPartial(g + i, rest);
                var gradient = whole ? V.Load(gy + i) : V.LoadPartial(gy + i, rest);
                var s = VectorMath.Sigmoid(x);
                var silu = x * s;
                if (toUp != null)
                    Keep(gradient * silu, toUp + i, rest);
                if (toGate == null)
                    continue;
                // silu' = s + x s (1 - s)
                var slope = V.MultiplyAdd(silu, V.Create(1) - s, s);
                Keep(gradient * (whole ? V.Load(u + i) : V.LoadPartial(u + i, rest)) * slope, toGate + i, rest);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Keep<V>(V value, float* target, int rest)
            where V : struct, ILanes<V>
        {
            if (rest >= V.Count)
                value.Store(target);
            else
                value.StorePartial(target, rest);
        }
    }
}
