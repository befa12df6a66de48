using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.Mlstm;

/// <summary>The backward of one head of one sequence, from the last chunk to the first. README.md beside this file derives it.</summary>
internal unsafe struct MlstmBackward : ISimdKernel
{
    private const int Parts = 19 + MlstmGates.Parts;

    public MlstmSizes Sizes;
    public float Epsilon;
    public bool HasInitial;                 // whether the state before the first chunk may be other than empty
    public float* Q, K, V, I, F, H;
    public float* C, N;                     // after the last chunk
    public float* Denominators, Products;
    public float* States, Norms;
    public double* Maxima;
    public float* GradH, GradC, GradN, GradM;                       // null: zero
    public float* GradQ, GradK, GradV, GradI, GradF;                // null: not wanted, as the next
    public float* GradC0, GradN0, GradM0;

    /// <summary>Of all heads of all sequences, one.</summary>
    public readonly MlstmBackward Piece(long sequence)
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
            H = H + steps * values,
            C = C + state,
            N = N + sequence * keys,
            Denominators = Denominators + steps,
            Products = Products + steps,
            States = States + chunks * Sizes.StateSize,
            Norms = Norms + chunks * keys,
            Maxima = Maxima + chunks,
            GradH = At(GradH, steps * values),
            GradC = At(GradC, state),
            GradN = At(GradN, sequence * keys),
            GradM = At(GradM, sequence),
            GradQ = At(GradQ, steps * keys),
            GradK = At(GradK, steps * keys),
            GradV = At(GradV, steps * values),
            GradI = At(GradI, steps),
            GradF = At(GradF, steps),
            GradC0 = At(GradC0, state),
            GradN0 = At(GradN0, sequence * keys),
            GradM0 = At(GradM0, sequence),
        };

        static float* At(float* array, long offset) => array == null ? null : array + offset;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<W>()
        where W : struct, ILanes<W>
    {
        int keys = Sizes.KeyDim, values = Sizes.ValueDim, steps = Sizes.Chunk;
        int paddedKeys = Sizes.PaddedKeyDim, paddedValues = Sizes.PaddedValueDim, paddedChunk = Sizes.PaddedChunk;
        long keyRows = (long)steps * paddedKeys, valueRows = (long)steps * paddedValues, square = (long)steps * paddedChunk;
        var scratch = Scratch.Of(MlstmGates.Size(paddedChunk) + 2L * values * paddedKeys + Sizes.StateSize + keys
            + (long)(keys + values) * paddedChunk + 2 * square + 3 * keyRows + 3 * valueRows + 7L * paddedChunk, Parts);
        var gates = new MlstmGates(scratch, paddedChunk);
        float* gradC = scratch.Take(Sizes.StateSize), gradN = scratch.Take(keys);
        float* stateByValue = scratch.Take((long)values * paddedKeys), gradCByValue = scratch.Take((long)values * paddedKeys);
        float* keysByDim = scratch.Take((long)keys * paddedChunk), valuesByDim = scratch.Take((long)values * paddedChunk);
        float* scores = scratch.Take(square), gradScores = scratch.Take(square);
        float* queriesPadded = scratch.Take(keyRows), keysPadded = scratch.Take(keyRows), keySums = scratch.Take(keyRows);
        float* gradSums = scratch.Take(valueRows), valueSums = scratch.Take(valueRows);
        float* gradProducts = scratch.Take(paddedChunk), rowGrads = scratch.Take(paddedChunk), maximumGrads = scratch.Take(paddedChunk);
        float* gradInput = scratch.Take(paddedChunk);

        Rows.Load(GradC, keys, values, gradC, paddedValues);
        Rows.Load(GradN, 1, keys, gradN, keys);
        var hasFuture = GradC != null || GradN != null;     // a gradient of the state after the chunk
        // The gradient of m alone, beside the scale that the state has with it: what ε leaves, and what the final state's gradient brings.
        double maximumGrad = (GradM == null ? 0 : *GradM) - (GradC == null ? 0 : Inner<W>(GradC, C, (long)keys * values)) - (GradN == null ? 0 : Inner<W>(GradN, N, keys));
        for (var chunk = Sizes.ChunkCount - 1; chunk >= 0; chunk--)
        {
            var start = chunk * steps;
            var count = Math.Min(steps, Sizes.Length - start);
            var hasState = HasInitial || chunk > 0;
            float* c = States + chunk * Sizes.StateSize, n = Norms + (long)chunk * keys;
            float* q = Rows.Padded(Q + (long)start * keys, count, keys, queriesPadded, paddedKeys);
            float* k = Rows.Padded(K + (long)start * keys, count, keys, keysPadded, paddedKeys);
            var v = V + (long)start * values;
            gates.Fill<W>(I + start, F + start, count, paddedChunk, Maxima[chunk]);
            var stateScale = hasFuture ? StateScale<W>(chunk, gradC, gradN, paddedValues) : 0.0;

            Divided<W>(start, count, gradSums, gradProducts, rowGrads, maximumGrads, paddedValues);
            TileProduct.Transpose<W>(count, keys, k, paddedKeys, keysByDim, paddedChunk, paddedChunk, 1 / MathF.Sqrt(keys));
            TileProduct.Transpose<W>(count, values, v, values, valuesByDim, paddedChunk, paddedChunk, 1);
            MlstmForward.Scores<W>(Q + (long)start * keys, keysByDim, scores, count, keys, paddedChunk);
            for (var t = 0; t < count; t += TileProduct.Rows)
            {
                var rows = Math.Min(TileProduct.Rows, count - t);
                var columns = (t + rows + W.Count - 1) / W.Count * W.Count;
                TileProduct.Run<W>(rows, columns, values, gradSums + (long)t * paddedValues, paddedValues, 1,
                    valuesByDim, paddedChunk, gradScores + (long)t * paddedChunk, paddedChunk, add: false);
            }
            Weigh<W>(gates, scores, gradScores, gradProducts, gradInput, count, paddedChunk, 1 / MathF.Sqrt(keys));

            if (GradQ != null)
                Queries<W>(gates, k, c, n, stateByValue, gradScores, gradSums, gradProducts, keySums, start, count, hasState);
            // Everything that asks for weighed keys, and the keys' own gradient.
            if (hasFuture)
            {
                for (var d = 0; d < keys; d++)
                    Rows.Multiply<W>(keysByDim + (long)d * paddedChunk, gates.KeyWeight, paddedChunk);
            }
            Keys<W>(gates, q, v, gradC, gradN, gradCByValue, gradScores, gradInput, keySums, start, count, hasFuture);
            if (GradV != null)
                Values<W>(scores, keysByDim, gradC, gradSums, valueSums, start, count, hasFuture);

            Gates<W>(gates, gradInput, rowGrads, maximumGrads, ref maximumGrad, stateScale, start, count);
            StateBefore<W>(gates, q, gradC, gradN, gradSums, gradProducts, count, hasFuture);
            hasFuture = true;
        }
        if (GradC0 != null)
            Rows.Store(gradC, keys, values, paddedValues, GradC0);
        if (GradN0 != null)
            new Span<float>(gradN, keys).CopyTo(new Span<float>(GradN0, keys));
        if (GradM0 != null)
            *GradM0 = (float)(maximumGrad + (hasFuture && HasInitial ? StateScale<W>(-1, gradC, gradN, paddedValues) : 0));
    }

    /// <summary>⟨∂C, C⟩ + ⟨∂n, n⟩ of the state after a chunk: how the loss changes with the scale of all that was written before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly double StateScale<W>(int chunk, float* gradC, float* gradN, int paddedValues)
        where W : struct, ILanes<W>
    {
        if (chunk + 1 < Sizes.ChunkCount)
        {
            return Inner<W>(gradC, States + (chunk + 1) * Sizes.StateSize, Sizes.StateSize)
                + Inner<W>(gradN, Norms + (long)(chunk + 1) * Sizes.KeyDim, Sizes.KeyDim);
        }
        var total = (double)Inner<W>(gradN, N, Sizes.KeyDim);
        for (var d = 0L; d < Sizes.KeyDim; d++)
            total += Rows.Dot<W>(gradC + d * paddedValues, C + d * Sizes.ValueDim, Sizes.ValueDim);
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Inner<W>(float* a, float* b, long count)
        where W : struct, ILanes<W>
    {
        const int piece = 64;                               // short sums in float32, and these in float64
        var total = 0.0;
        for (var i = 0L; i < count; i += piece)
            total += Rows.Dot<W>(a + i, b + i, Math.Min(piece, count - i));
        return total;
    }

    /// <summary>
    /// Back through h = sums / denominator: u = ∂h / denominator in <paramref name="gradSums"/>, the gradient of q·n, that of the row's scale, and
    /// that of m_t itself.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Divided<W>(int start, int count, float* gradSums, float* gradProducts, float* rowGrads, float* maximumGrads, int paddedValues)
        where W : struct, ILanes<W>
    {
        var values = Sizes.ValueDim;
        for (var t = 0; t < count; t++)
        {
            var target = gradSums + (long)t * paddedValues;
            if (GradH == null)
            {
                new Span<float>(target, paddedValues).Clear();
                gradProducts[t] = rowGrads[t] = maximumGrads[t] = 0;
                continue;
            }
            var row = (start + t) * (long)values;
            var (inverse, product) = (1 / Denominators[start + t], Products[start + t]);
            new Span<float>(GradH + row, values).CopyTo(new Span<float>(target, values));
            new Span<float>(target + values, paddedValues - values).Clear();
            Rows.Scale<W>(target, paddedValues, inverse);
            var along = Rows.Dot<W>(GradH + row, H + row, values);
            gradProducts[t] = product == 0 ? 0 : -along * inverse * MathF.Sign(product);
            rowGrads[t] = product == 0 ? along : along * Epsilon * inverse;     // along · (1 - |q n| / denominator)
            maximumGrads[t] = -along * Epsilon * inverse;
        }
    }

    /// <summary>scores become weighed scores P, gradScores those of q · k; the columns' sums of P ⊙ ∂P go to the input gates.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh<W>(
        in MlstmGates given, float* scores, float* gradScores, float* gradProducts, float* gradInput, int count, int paddedChunk, float keyScale)
        where W : struct, ILanes<W>
    {
        var gates = given;
        var lanes = Rows.Lanes<W>();
        var scale = W.Create(keyScale);
        new Span<float>(gradInput, paddedChunk).Clear();
        for (var t = 0; t < count; t++, scores += paddedChunk, gradScores += paddedChunk)
        {
            W high = W.Create(gates.RowHigh[t]), low = W.Create(gates.RowLow[t]), product = W.Create(gradProducts[t]);
            var j = 0;
            for (; j + W.Count <= t + 1; j += W.Count)
            {
                var weight = gates.Weights(j, high, low);
                var weighed = W.Load(scores + j) * weight;
                var grad = W.Load(gradScores + j) + product;
                weighed.Store(scores + j);
                (grad * weight * scale).Store(gradScores + j);
                W.MultiplyAdd(weighed, grad, W.Load(gradInput + j)).Store(gradInput + j);
            }
            if (j <= t)
            {
                var weight = Rows.OnlyFirst(gates.Weights(j, high, low), t + 1 - j, lanes);
                var weighed = Rows.OnlyFirst(W.Load(scores + j), t + 1 - j, lanes) * weight;
                var grad = Rows.OnlyFirst(W.Load(gradScores + j) + product, t + 1 - j, lanes);
                weighed.Store(scores + j);
                (grad * weight * scale).Store(gradScores + j);
                W.MultiplyAdd(weighed, grad, W.Load(gradInput + j)).Store(gradInput + j);
                j += W.Count;
            }
            for (; j < t + TileProduct.Rows && j < paddedChunk; j += W.Count)
            {
                W.Zero.Store(scores + j);
                W.Zero.Store(gradScores + j);
            }
        }
    }

    /// <summary>∂q_t = s_t (C u_t + r_t n) + Σ_j ∂S_tj k_j.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Queries<W>(
        in MlstmGates gates, float* k, float* c, float* n, float* stateByValue, float* gradScores, float* gradSums, float* gradProducts,
        float* keySums, int start, int count, bool hasState)
        where W : struct, ILanes<W>
    {
        int keys = Sizes.KeyDim, values = Sizes.ValueDim, paddedKeys = Sizes.PaddedKeyDim, paddedValues = Sizes.PaddedValueDim;
        var paddedChunk = Sizes.PaddedChunk;
        var target = keys == paddedKeys ? GradQ + (long)start * keys : keySums;
        if (hasState)
        {
            TileProduct.Transpose<W>(keys, values, c, paddedValues, stateByValue, paddedKeys, paddedKeys, 1);
            TileProduct.Run<W>(count, paddedKeys, values, gradSums, paddedValues, 1, stateByValue, paddedKeys, target, paddedKeys, add: false);
            for (var t = 0; t < count; t++)
            {
                Rows.AddScaled<W>(target + (long)t * paddedKeys, gradProducts[t], n, keys);
                Rows.Scale<W>(target + (long)t * paddedKeys, paddedKeys, gates.StateWeight[t]);
            }
        }
        for (var t = 0; t < count; t += TileProduct.Rows)
        {
            var rows = Math.Min(TileProduct.Rows, count - t);
            TileProduct.Run<W>(rows, paddedKeys, t + rows, gradScores + (long)t * paddedChunk, paddedChunk, 1,
                k, paddedKeys, target + (long)t * paddedKeys, paddedKeys, hasState);
        }
        if (target == keySums)
            Rows.Store(keySums, count, keys, paddedKeys, GradQ + (long)start * keys);
    }

    /// <summary>∂k_j = Σ_t ∂S_tj q_t + w_j/√D (∂C v_j + ∂n); what the second part takes from k_j goes to the input gate.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Keys<W>(
        in MlstmGates gates, float* q, float* v, float* gradC, float* gradN, float* gradCByValue, float* gradScores, float* gradInput,
        float* keySums, int start, int count, bool hasFuture)
        where W : struct, ILanes<W>
    {
        if (GradK == null && !hasFuture)
            return;
        int keys = Sizes.KeyDim, values = Sizes.ValueDim, paddedKeys = Sizes.PaddedKeyDim, paddedValues = Sizes.PaddedValueDim;
        var paddedChunk = Sizes.PaddedChunk;
        if (hasFuture)
        {
            TileProduct.Transpose<W>(keys, values, gradC, paddedValues, gradCByValue, paddedKeys, paddedKeys, 1);
            TileProduct.Run<W>(count, paddedKeys, values, v, values, 1, gradCByValue, paddedKeys, keySums, paddedKeys, add: false);
            var keyScale = 1 / MathF.Sqrt(keys);
            for (var j = 0; j < count; j++)
            {
                var row = keySums + (long)j * paddedKeys;
                Rows.AddScaled<W>(row, 1, gradN, keys);
                Rows.Scale<W>(row, paddedKeys, gates.KeyWeight[j] * keyScale);
                gradInput[j] += Rows.Dot<W>(row, K + (long)(start + j) * keys, keys);
            }
        }
        if (GradK == null)
            return;
        for (var j = 0; j < count; j += TileProduct.Rows)
        {
            // Only steps from the tile's first key on look at it; above the diagonal the scores' gradients are zero.
            var rows = Math.Min(TileProduct.Rows, count - j);
            TileProduct.Run<W>(rows, paddedKeys, count - j, gradScores + (long)j * paddedChunk + j, 1, paddedChunk,
                q + (long)j * paddedKeys, paddedKeys, keySums + (long)j * paddedKeys, paddedKeys, hasFuture);
        }
        Rows.Store(keySums, count, keys, paddedKeys, GradK + (long)start * keys);
    }

    /// <summary>∂v_j = Σ_t P_tj u_t + w_j/√D ∂Cᵀ k_j.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Values<W>(
        float* scores, float* keysByDim, float* gradC, float* gradSums, float* valueSums, int start, int count, bool hasFuture)
        where W : struct, ILanes<W>
    {
        int keys = Sizes.KeyDim, values = Sizes.ValueDim, paddedValues = Sizes.PaddedValueDim, paddedChunk = Sizes.PaddedChunk;
        var target = values == paddedValues ? GradV + (long)start * values : valueSums;
        if (hasFuture)
            TileProduct.Run<W>(count, paddedValues, keys, keysByDim, 1, paddedChunk, gradC, paddedValues, target, paddedValues, add: false);
        for (var j = 0; j < count; j += TileProduct.Rows)
        {
            var rows = Math.Min(TileProduct.Rows, count - j);
            TileProduct.Run<W>(rows, paddedValues, count - j, scores + (long)j * paddedChunk + j, 1, paddedChunk,
                gradSums + (long)j * paddedValues, paddedValues, target + (long)j * paddedValues, paddedValues, hasFuture);
        }
        if (target == valueSums)
            Rows.Store(valueSums, count, values, paddedValues, GradV + (long)start * values);
    }

    /// <summary>∂i and ∂f of a chunk: what crosses each step, and what is left of m's own gradient, along the way that the maximum went.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Gates<W>(
        in MlstmGates gates, float* gradInput, float* rowGrads, float* maximumGrads, ref double maximumGrad, double stateScale, int start, int count)
        where W : struct, ILanes<W>
    {
        var crossing = stateScale;
        for (var t = count - 1; t >= 0; t--)
        {
            crossing += rowGrads[t] - gradInput[t];
            maximumGrad += maximumGrads[t];
            var (input, forget) = ((double)gradInput[t], crossing);
            if (gates.FromInput[t] != 0)
            {
                input += maximumGrad;
                maximumGrad = 0;
            }
            else
            {
                forget += maximumGrad;
            }
            if (GradI != null)
                GradI[start + t] = (float)input;
            if (GradF != null)
                GradF[start + t] = (float)forget / (1 + MathF.Exp(F[start + t]));       // d log σ(f) = σ(-f)
        }
    }

    /// <summary>∂C before the chunk = decay · ∂C + Σ_t s_t q_t u_tᵀ, and ∂n likewise.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void StateBefore<W>(
        in MlstmGates gates, float* q, float* gradC, float* gradN, float* gradSums, float* gradProducts, int count, bool hasFuture)
        where W : struct, ILanes<W>
    {
        int keys = Sizes.KeyDim, paddedKeys = Sizes.PaddedKeyDim, paddedValues = Sizes.PaddedValueDim;
        Rows.Scale<W>(gradC, Sizes.StateSize, hasFuture ? gates.Decay : 0);
        for (var d = 0; d < keys; d++)
            gradN[d] = hasFuture ? gradN[d] * gates.Decay : 0;
        for (var t = 0; t < count; t++)
        {
            Rows.Scale<W>(gradSums + (long)t * paddedValues, paddedValues, gates.StateWeight[t]);
            Rows.AddScaled<W>(gradN, gradProducts[t] * gates.StateWeight[t], q + (long)t * paddedKeys, keys);
        }
        TileProduct.Run<W>(keys, paddedValues, count, q, 1, paddedKeys, gradSums, paddedValues, gradC, paddedValues, add: hasFuture);
    }
}
