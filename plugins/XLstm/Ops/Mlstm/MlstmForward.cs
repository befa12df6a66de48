using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.Mlstm;

/// <summary>The forward of one head of one sequence, chunk after chunk.</summary>
internal unsafe struct MlstmForward : ISimdKernel
{
    private const int Parts = 8 + MlstmGates.Parts;

    public MlstmSizes Sizes;
    public float Epsilon;
    public float* Q, K, V, I, F;
    public float* C0, N0, M0;               // null: the empty state
    public float* H, C, N, M;
    public float* Denominators, Products;   // kept for backward, or null
    public float* States, Norms;
    public double* Maxima;

    /// <summary>Of all heads of all sequences, one.</summary>
    public readonly MlstmForward Piece(long sequence)
    {
        var (steps, keys, values) = (sequence * Sizes.Length, (long)Sizes.KeyDim, (long)Sizes.ValueDim);
        var (state, chunks) = (sequence * keys * values, sequence * Sizes.ChunkCount);
        return this with
        {
            Q = Q + steps * keys,
            K = K + steps * keys,
            V = V + steps * values,
            I = I + steps,
            F = F + steps,
            C0 = At(C0, state),
            N0 = At(N0, sequence * keys),
            M0 = At(M0, sequence),
            H = H + steps * values,
            C = C + state,
            N = N + sequence * keys,
            M = M + sequence,
            Denominators = At(Denominators, steps),
            Products = At(Products, steps),
            States = At(States, chunks * Sizes.StateSize),
            Norms = At(Norms, chunks * keys),
            Maxima = Maxima == null ? null : Maxima + chunks,
        };

        static float* At(float* array, long offset) => array == null ? null : array + offset;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<W>()
        where W : struct, ILanes<W>
    {
        int keys = Sizes.KeyDim, values = Sizes.ValueDim, paddedValues = Sizes.PaddedValueDim, paddedChunk = Sizes.PaddedChunk;
        var scratch = ThreadScratch.Of(
            MlstmGates.Size(paddedChunk) + 2 * Sizes.StateSize + keys + (long)keys * paddedChunk + (long)Sizes.Chunk * (paddedChunk + 2L * paddedValues) + paddedChunk,
            Parts);
        var gates = new MlstmGates(scratch, paddedChunk);
        float* c = scratch.Take(Sizes.StateSize), n = scratch.Take(keys);
        float* keysByDim = scratch.Take((long)keys * paddedChunk), scores = scratch.Take((long)Sizes.Chunk * paddedChunk);
        float* sums = scratch.Take((long)Sizes.Chunk * paddedValues), valuesPadded = scratch.Take((long)Sizes.Chunk * paddedValues);
        var products = scratch.Take(paddedChunk);
        var m = M0 == null ? 0.0 : *M0;
        var hasState = C0 != null || N0 != null;
        Rows.Load(C0, keys, values, c, paddedValues);
        Rows.Load(N0, 1, keys, n, keys);
        for (var (start, chunk) = (0, 0); start < Sizes.Length; start += Sizes.Chunk, chunk++)
        {
            var count = Math.Min(Sizes.Chunk, Sizes.Length - start);
            if (States != null)
            {
                Buffer.MemoryCopy(c, States + chunk * Sizes.StateSize, Sizes.StateSize * sizeof(float), Sizes.StateSize * sizeof(float));
                Buffer.MemoryCopy(n, Norms + (long)chunk * keys, keys * sizeof(float), keys * sizeof(float));
                Maxima[chunk] = m;
            }
            float* q = Q + (long)start * keys, k = K + (long)start * keys;
            var v = Rows.Padded(V + (long)start * values, count, values, valuesPadded, paddedValues);
            gates.Fill<W>(I + start, F + start, count, paddedChunk, m);
            TileProduct.Transpose<W>(count, keys, k, keys, keysByDim, paddedChunk, paddedChunk, 1 / MathF.Sqrt(keys));
            Scores<W>(q, keysByDim, scores, count, keys, paddedChunk);
            Weigh<W>(gates, scores, products, count, paddedChunk);
            if (hasState)
                FromState<W>(gates, q, c, n, sums, products, count, keys, paddedValues);
            for (var t = 0; t < count; t += TileProduct.Rows)
            {
                var rows = Math.Min(TileProduct.Rows, count - t);
                TileProduct.Run<W>(rows, paddedValues, t + rows, scores + (long)t * paddedChunk, paddedChunk, 1,
                    v, paddedValues, sums + (long)t * paddedValues, paddedValues, hasState);
            }
            Divide<W>(gates, sums, products, start, count, values, paddedValues);
            NextState<W>(gates, keysByDim, v, c, n, count, keys, paddedValues, paddedChunk);
            hasState = true;
            m = gates.Last;
        }
        Rows.Store(c, keys, values, paddedValues, C);
        Rows.Store(n, 1, keys, keys, N);
        *M = (float)m;
    }

    /// <summary>scores[t, j] = q_t · k_j for the tiles that reach below the diagonal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Scores<W>(float* q, float* keysByDim, float* scores, int count, int keys, int paddedChunk)
        where W : struct, ILanes<W>
    {
        for (var t = 0; t < count; t += TileProduct.Rows)
        {
            var rows = Math.Min(TileProduct.Rows, count - t);
            var columns = (t + rows + W.Count - 1) / W.Count * W.Count;
            TileProduct.Run<W>(rows, columns, keys, q + (long)t * keys, keys, 1, keysByDim, paddedChunk, scores + (long)t * paddedChunk, paddedChunk, add: false);
        }
    }

    /// <summary>scores[t, j] times its weight, zero above the diagonal as far as a tile reads; products[t] is the row's sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh<W>(in MlstmGates given, float* scores, float* products, int count, int paddedChunk)
        where W : struct, ILanes<W>
    {
        var gates = given;
        var lanes = Rows.Lanes<W>();
        for (var t = 0; t < count; t++, scores += paddedChunk)
        {
            W high = W.Create(gates.RowHigh[t]), low = W.Create(gates.RowLow[t]), sum = W.Zero;
            var j = 0;
            for (; j + W.Count <= t + 1; j += W.Count)
            {
                var weighed = W.Load(scores + j) * gates.Weights(j, high, low);
                weighed.Store(scores + j);
                sum += weighed;
            }
            if (j <= t)
            {
                Rows.OnlyFirst(W.Load(scores + j) * gates.Weights(j, high, low), t + 1 - j, lanes).Store(scores + j);
                sum += W.Load(scores + j);
                j += W.Count;
            }
            for (; j < t + TileProduct.Rows && j < paddedChunk; j += W.Count)
                W.Zero.Store(scores + j);
            products[t] = W.Sum(sum);
        }
    }

    /// <summary>sums[t] = s_t q_t C and products[t] += s_t q_t n, with the state before the chunk.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FromState<W>(in MlstmGates gates, float* q, float* c, float* n, float* sums, float* products, int count, int keys, int paddedValues)
        where W : struct, ILanes<W>
    {
        TileProduct.Run<W>(count, paddedValues, keys, q, keys, 1, c, paddedValues, sums, paddedValues, add: false);
        for (var t = 0; t < count; t++)
        {
            var weight = gates.StateWeight[t];
            Rows.Scale<W>(sums + (long)t * paddedValues, paddedValues, weight);
            products[t] += weight * Rows.Dot<W>(q + (long)t * keys, n, keys);
        }
    }

    /// <summary>h_t = sums[t] / (max(|products[t]|, exp(-m_t)) + ε).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Divide<W>(in MlstmGates gates, float* sums, float* products, int start, int count, int values, int paddedValues)
        where W : struct, ILanes<W>
    {
        for (var t = 0; t < count; t++)
        {
            var product = products[t];
            var isFree = MathF.Abs(product) > gates.Least[t];
            var denominator = (isFree ? MathF.Abs(product) : gates.Least[t]) + Epsilon;
            if (Denominators != null)
            {
                Denominators[start + t] = denominator;
                Products[start + t] = isFree ? product : 0;
            }
            var inverse = 1 / denominator;
            float* from = sums + (long)t * paddedValues, to = H + (long)(start + t) * values;
            var wide = W.Create(inverse);
            var e = 0;
            for (; e + W.Count <= values; e += W.Count)
                (W.Load(from + e) * wide).Store(to + e);
            for (; e < values; e++)
                to[e] = from[e] * inverse;
        }
    }

    /// <summary>c = decay · c + Σ_j w_j k_j v_jᵀ and n likewise; the keys are then weighed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void NextState<W>(in MlstmGates gates, float* keysByDim, float* v, float* c, float* n, int count, int keys, int paddedValues, int paddedChunk)
        where W : struct, ILanes<W>
    {
        for (var d = 0; d < keys; d++)
        {
            Rows.Multiply<W>(keysByDim + (long)d * paddedChunk, gates.KeyWeight, paddedChunk);
            n[d] = gates.Decay * n[d] + Rows.Sum<W>(keysByDim + (long)d * paddedChunk, paddedChunk);
        }
        Rows.Scale<W>(c, (long)keys * paddedValues, gates.Decay);
        TileProduct.Run<W>(keys, paddedValues, count, keysByDim, paddedChunk, 1, v, paddedValues, c, paddedValues, add: true);
    }
}
