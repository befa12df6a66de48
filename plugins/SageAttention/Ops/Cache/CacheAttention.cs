using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;
using Zoo.SageAttention.Ops.Sage.Kernels;

namespace Zoo.SageAttention.Ops.Cache;

/// <summary>One token's queries that share a key head: scores from int8 keys, softmax, and the weighted sum of int8 values.</summary>
internal unsafe struct CacheAttention : ISimdKernel
{
    private const float Log2E = 1.44269504f;

    public int Dim, Length, Queries;

    /// <summary>[query, dim].</summary>
    public float* Query, Output;

    /// <summary>[key, dim].</summary>
    public sbyte* Keys, Values;

    /// <summary>bfloat16, a key.</summary>
    public ushort* KeyScales, ValueScales;

    /// <summary>[block of keys, dim].</summary>
    public float* Centres;

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var weights = (float*)NativeMemory.AlignedAlloc((nuint)((Length + V.Count) * sizeof(float)), 64);
        try
        {
            for (var i = 0; i < Queries; i++)
            {
                float* q = Query + (long)i * Dim, o = Output + (long)i * Dim;
                if (typeof(V) == typeof(Lanes512))
                    One<V, MixedLanes512>(q, o, weights);
                else if (typeof(V) == typeof(Lanes256))
                    One<V, MixedLanes256>(q, o, weights);
                else
                    One<V, MixedLanes128>(q, o, weights);
            }
        }
        finally
        {
            NativeMemory.AlignedFree(weights);
        }
    }

    private readonly void One<V, L>(float* q, float* o, float* weights)
        where V : struct, ILanes<V>
        where L : struct, IMixedLanes<L>
    {
        var factor = Log2E / MathF.Sqrt(Dim);
        var top = float.NegativeInfinity;
        for (var block = 0; block * QuantizedCache.TokensOfABlock < Length; block++)
        {
            var first = block * QuantizedCache.TokensOfABlock;
            var end = Math.Min(Length, first + QuantizedCache.TokensOfABlock);
            var shared = 0f;                                            // what the centre adds to every score of the block
            for (var d = 0; d < Dim; d++)
                shared += q[d] * Centres[(long)block * Dim + d];
            for (var key = first; key < end; key++)
            {
                weights[key] = (Dot<L>(q, Keys + (long)key * Dim, Dim) * Single(KeyScales[key]) + shared) * factor;
                top = Math.Max(top, weights[key]);                      // NaN stays
            }
        }
        var total = Weigh<V>(weights, top);
        for (var key = 0; key < Length; key++)
            weights[key] *= Single(ValueScales[key]) / total;
        Sum<L>(weights, o);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot<L>(float* q, sbyte* key, int dim)
        where L : struct, IMixedLanes<L>
    {
        L s0 = L.Zero, s1 = L.Zero;
        var d = 0;
        for (; d + 2 * L.Count <= dim; d += 2 * L.Count)
        {
            s0 = L.MultiplyAdd(L.ToSingle(L.LoadInt8(key + d)), L.Load(q + d), s0);
            s1 = L.MultiplyAdd(L.ToSingle(L.LoadInt8(key + d + L.Count)), L.Load(q + d + L.Count), s1);
        }
        var sum = L.SumOf(L.Add(s0, s1));
        for (; d < dim; d++)
            sum += key[d] * q[d];
        return sum;
    }

    /// <summary>2^(score - top) in place.</summary>
    /// <returns>Their sum.</returns>
    private readonly float Weigh<V>(float* weights, float top)
        where V : struct, ILanes<V>
    {
        V shift = V.Create(top), sum = V.Zero;
        for (var key = Length; key < Length + V.Count; key++)
            weights[key] = float.NegativeInfinity;                      // behind the last, for a whole vector
        for (var key = 0; key < Length; key += V.Count)
        {
            var weight = VectorMath.Exp2(V.Load(weights + key) - shift);
            weight.Store(weights + key);
            sum += weight;
        }
        return V.Sum(sum);
    }

    /// <summary>Σ weight · value, some dimensions at a time in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Sum<L>(float* weights, float* o)
        where L : struct, IMixedLanes<L>
    {
        var (length, dim, values) = (Length, Dim, (nint)Values);
        var d = 0;
        for (; d + 4 * L.Count <= dim; d += 4 * L.Count)
        {
            L s0 = L.Zero, s1 = L.Zero, s2 = L.Zero, s3 = L.Zero;
            var value = (sbyte*)values + d;
            for (var key = 0; key < length; key++, value += dim)
            {
                var weight = L.Create(weights[key]);
                s0 = L.MultiplyAdd(L.ToSingle(L.LoadInt8(value)), weight, s0);
                s1 = L.MultiplyAdd(L.ToSingle(L.LoadInt8(value + L.Count)), weight, s1);
                s2 = L.MultiplyAdd(L.ToSingle(L.LoadInt8(value + 2 * L.Count)), weight, s2);
                s3 = L.MultiplyAdd(L.ToSingle(L.LoadInt8(value + 3 * L.Count)), weight, s3);
            }
            s0.Store(o + d);
            s1.Store(o + d + L.Count);
            s2.Store(o + d + 2 * L.Count);
            s3.Store(o + d + 3 * L.Count);
        }
        for (; d < dim; d++)
        {
            var sum = 0f;
            for (var key = 0; key < length; key++)
                sum += weights[key] * ((sbyte*)values)[(long)key * dim + d];
            o[d] = sum;
        }
    }

    private static float Single(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);
}
