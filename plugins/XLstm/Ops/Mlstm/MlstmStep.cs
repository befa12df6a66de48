using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.XLstm.Ops.Mlstm;

/// <summary>One step of one head: the state is read and written once, and the query meets each row as it passes.</summary>
internal unsafe struct MlstmStep : ISimdKernel
{
    public MlstmForward Call;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<W>()
        where W : struct, ILanes<W>
    {
        int keys = Call.Sizes.KeyDim, values = Call.Sizes.ValueDim;
        var before = Call.M0 == null ? 0.0 : Math.Max(*Call.M0, -1e30);
        double input = *Call.I, forget = *Call.F;
        var forgotten = before + Math.Min(forget, 0) - Math.Log(1 + Math.Exp(-Math.Abs(forget)));
        var m = Math.Max(forgotten, input);
        var (decay, write) = ((float)Math.Exp(forgotten - m), (float)(Math.Exp(input - m) / Math.Sqrt(keys)));
        new Span<float>(Call.H, values).Clear();
        var product = 0f;
        for (var d = 0; d < keys; d++)
        {
            var key = write * Call.K[d];
            var n = (Call.N0 == null ? 0 : decay * Call.N0[d]) + key;
            Call.N[d] = n;
            product += Call.Q[d] * n;
            Row<W>(Call.C0 == null ? null : Call.C0 + (long)d * values, Call.C + (long)d * values, decay, key, Call.Q[d], values);
        }
        var inverse = 1 / (Math.Max(Math.Abs(product), (float)Math.Exp(Math.Min(80, -m))) + Call.Epsilon);
        for (var e = 0; e < values; e++)
            Call.H[e] *= inverse;
        *Call.M = (float)m;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Row<W>(float* from, float* to, float decay, float key, float query, int values)
        where W : struct, ILanes<W>
    {
        float* v = Call.V, h = Call.H;
        W wideDecay = W.Create(decay), wideKey = W.Create(key), wideQuery = W.Create(query);
        var e = 0;
        for (; e + W.Count <= values; e += W.Count)
        {
            var c = wideKey * W.Load(v + e);
            if (from != null)
                c = W.MultiplyAdd(wideDecay, W.Load(from + e), c);
            c.Store(to + e);
            W.MultiplyAdd(wideQuery, c, W.Load(h + e)).Store(h + e);
        }
        for (; e < values; e++)
        {
            to[e] = key * v[e] + (from == null ? 0 : decay * from[e]);
            h[e] += query * to[e];
        }
    }
}
