using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.XLstm.Ops.HeadNorm;

/// <summary>The gates as types, so that loops are compiled for each.</summary>
internal static class HeadGates
{
    /// <summary>What a gate goes through.</summary>
    public interface IGate
    {
        /// <summary>Whether there is one.</summary>
        static abstract bool Exists { get; }

        /// <summary>What multiplies the output.</summary>
        static abstract V Value<V>(V gate)
            where V : struct, ILanes<V>;

        /// <summary>The same, and its derivative.</summary>
        static abstract void WithSlope<V>(V gate, out V value, out V slope)
            where V : struct, ILanes<V>;
    }

    /// <summary>A pass that is compiled for each gate.</summary>
    public interface IGatedPass
    {
        /// <summary>Runs it.</summary>
        void Run<V, TGate>()
            where V : struct, ILanes<V>
            where TGate : struct, IGate;
    }

    /// <summary>Runs a pass with the gate that the call has.</summary>
    public static unsafe void Run<V, TPass>(in TPass pass, in HeadNormPass call)
        where V : struct, ILanes<V>
        where TPass : struct, IGatedPass
    {
        if (call.Gate == null)
            pass.Run<V, None>();
        else if (call.Act == HeadGate.Silu)
            pass.Run<V, Silu>();
        else
            pass.Run<V, Sigmoid>();
    }

    /// <summary>No gate.</summary>
    public readonly struct None : IGate
    {
        public static bool Exists => false;

        public static V Value<V>(V gate)
            where V : struct, ILanes<V> => V.Create(1);

        public static void WithSlope<V>(V gate, out V value, out V slope)
            where V : struct, ILanes<V> => (value, slope) = (V.Create(1), V.Zero);
    }

    /// <summary>σ(g).</summary>
    public readonly struct Sigmoid : IGate
    {
        public static bool Exists => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Value<V>(V gate)
            where V : struct, ILanes<V> => V.Create(1) / (V.Create(1) + VectorMath.ExpBounded(-gate));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void WithSlope<V>(V gate, out V value, out V slope)
            where V : struct, ILanes<V>
        {
            var e = VectorMath.ExpBounded(-gate);
            value = V.Create(1) / (V.Create(1) + e);
            slope = value * (e * value);            // 1 - σ is e^-g σ, which does not cancel
        }
    }

    /// <summary>g · σ(g).</summary>
    public readonly struct Silu : IGate
    {
        public static bool Exists => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Value<V>(V gate)
            where V : struct, ILanes<V> => VectorMath.SiluBounded(gate);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void WithSlope<V>(V gate, out V value, out V slope)
            where V : struct, ILanes<V>
        {
            var e = VectorMath.ExpBounded(-gate);
            var sigmoid = V.Create(1) / (V.Create(1) + e);
            value = gate * sigmoid;
            slope = sigmoid * V.MultiplyAdd(gate, e * sigmoid, V.Create(1));
        }
    }
}
