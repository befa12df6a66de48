using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.Mlstm;

/// <summary>The backward of one head of one sequence, from the last chunk to the first. README.md beside this file derives it.</summary>
internal unsafe struct MlstmBackward : ISimdKernel
{
    private const int Parts = 20 + MlstmGates.Parts;

    public MlstmSizes Sizes;
    public float Epsilon;
    public bool HasInitial;                 // whether the state before the first chunk may be other than empty
    public float* Q, K, V, I, F, H;
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
        var scratch = ThreadScratch.Of(MlstmGates.Size(paddedChunk) + 2L * values * paddedKeys + Sizes.StateSize + keys
            + (long)(keys + values) * paddedChunk + 2 * square + 3 * keyRows + 3 * valueRows + 8L * paddedChunk, Parts);
        var gates = new MlstmGates(scratch, paddedChunk);
        float* gradC = scratch.Take(Sizes.StateSize), gradN = scratch.Take(keys);
        float* stateByValue = scratch.Take((long)values * paddedKeys), gradCByValue = scratch.Take((long)values * paddedKeys);
        float* keysByDim = scratch.Take((long)keys * paddedChunk), valuesByDim = scratch.Take((long)values * paddedChunk);
        float* scores = scratch.Take(square), gradScores = scratch.Take(square);
        float* queriesPadded = scratch.Take(keyRows), keysPadded = scratch.Take(keyRows), keySums = scratch.Take(keyRows);
        float* gradSums = scratch.Take(valueRows), valueSums = scratch.Take(valueRows);
        float* gradProducts = scratch.Take(paddedChunk), leastGrads = scratch.Take(paddedChunk), maximumGrads = scratch.Take(paddedChunk);
        float* gradInput = scratch.Take(paddedChunk), crossing = scratch.Take(paddedChunk), crossingWrites = scratch.Take(paddedChunk);

        Rows.Load(GradC, keys, values, gradC, paddedValues);
        Rows.Load(GradN, 1, keys, gradN, keys);
        var hasFuture = GradC != null || GradN != null;     // a gradient of the state after the chunk
        var later = new Later { Maximum = GradM == null ? 0 : *GradM, Residue = GradM == null ? 0 : *GradM, IsOfFinalState = hasFuture };
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
            // What goes through the whole chunk: from the state before it to the one after.
            var through = hasFuture && hasState ? gates.Decay * (Inner<W>(gradC, c, Sizes.StateSize) + Inner<W>(gradN, n, keys)) : 0.0;

            Divided<W>(start, count, gradSums, gradProducts, leastGrads, maximumGrads, paddedValues);
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
            Weigh<W>(gates, scores, gradScores, gradProducts, gradInput, crossing, count, paddedChunk, 1 / MathF.Sqrt(keys));

            Queries<W>(gates, q, k, c, n, stateByValue, gradScores, gradSums, gradProducts, keySums, crossingWrites, start, count, hasState);
            Suffixes(crossingWrites, crossing, through, count);
            // Everything that asks for weighed keys, and the keys' own gradient.
            if (hasFuture)
            {
                for (var d = 0; d < keys; d++)
                    Rows.Multiply<W>(keysByDim + (long)d * paddedChunk, gates.KeyWeight, paddedChunk);
            }
            Keys<W>(gates, q, v, gradC, gradN, gradCByValue, gradScores, crossingWrites, keySums, start, count, hasFuture);
            Prefixes(crossingWrites, crossing, gradInput, count);
            if (GradV != null)
                Values<W>(scores, keysByDim, gradC, gradSums, valueSums, start, count, hasFuture);

            Gates(gates, gradInput, crossing, leastGrads, maximumGrads, ref later, start, count);
            StateBefore<W>(gates, q, gradC, gradN, gradSums, gradProducts, count, hasFuture);
            hasFuture = true;
        }
        if (GradC0 != null)
            Rows.Store(gradC, keys, values, paddedValues, GradC0);
        if (GradN0 != null)
            new Span<float>(gradN, keys).CopyTo(new Span<float>(GradN0, keys));
        if (GradM0 != null)
            *GradM0 = (float)later.Maximum;
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
    /// Back through h = sums / denominator: u = ∂h / denominator in <paramref name="gradSums"/>, the gradient of q·n, that of m_t
    /// by the least denominator, and what it leaves of m_t's where the whole row's scale is taken off.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Divided<W>(int start, int count, float* gradSums, float* gradProducts, float* leastGrads, float* maximumGrads, int paddedValues)
        where W : struct, ILanes<W>
    {
        var values = Sizes.ValueDim;
        for (var t = 0; t < count; t++)
        {
            var target = gradSums + (long)t * paddedValues;
            if (GradH == null)
            {
                new Span<float>(target, paddedValues).Clear();
                gradProducts[t] = leastGrads[t] = maximumGrads[t] = 0;
                continue;
            }
            var row = (start + t) * (long)values;
            var (inverse, product) = (1 / Denominators[start + t], Products[start + t]);
            new Span<float>(GradH + row, values).CopyTo(new Span<float>(target, values));
            new Span<float>(target + values, paddedValues - values).Clear();
            Rows.Scale<W>(target, paddedValues, inverse);
            var along = Rows.Dot<W>(GradH + row, H + row, values);
            gradProducts[t] = product == 0 ? 0 : -along * inverse * MathF.Sign(product);
            leastGrads[t] = product == 0 ? along - along * Epsilon * inverse : 0;      // along · exp(-m) / denominator
            maximumGrads[t] = -along * Epsilon * inverse;
        }
    }

    /// <summary>
    /// scores become weighed scores P, gradScores those of q · k; the columns' sums of P ⊙ ∂P go to the input gates. From the last row to the first, so that
    /// what lies left of a row's own step, summed, is what rows from there on take from steps before it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh<W>(
        in MlstmGates given, float* scores, float* gradScores, float* gradProducts, float* gradInput, float* crossing, int count, int paddedChunk, float keyScale)
        where W : struct, ILanes<W>
    {
        var gates = given;
        var lanes = Rows.Lanes<W>();
        var scale = W.Create(keyScale);
        new Span<float>(gradInput, paddedChunk).Clear();
        scores += (long)count * paddedChunk;
        gradScores += (long)count * paddedChunk;
        for (var t = count - 1; t >= 0; t--)
        {
            scores -= paddedChunk;
            gradScores -= paddedChunk;
            W high = W.Create(gates.RowHigh[t]), low = W.Create(gates.RowLow[t]), product = W.Create(gradProducts[t]), sum = W.Zero;
            var j = 0;
            for (; j + W.Count <= t; j += W.Count)
            {
                var weight = gates.Weights(j, high, low);
                var weighed = W.Load(scores + j) * weight;
                var grad = W.Load(gradScores + j) + product;
                weighed.Store(scores + j);
                (grad * weight * scale).Store(gradScores + j);
                var total = W.MultiplyAdd(weighed, grad, W.Load(gradInput + j));
                total.Store(gradInput + j);
                sum += total;
            }
            var lastWeight = Rows.OnlyFirst(gates.Weights(j, high, low), t + 1 - j, lanes);
            var lastWeighed = Rows.OnlyFirst(W.Load(scores + j), t + 1 - j, lanes) * lastWeight;
            var lastGrad = Rows.OnlyFirst(W.Load(gradScores + j) + product, t + 1 - j, lanes);
            lastWeighed.Store(scores + j);
            (lastGrad * lastWeight * scale).Store(gradScores + j);
            var lastTotal = W.MultiplyAdd(lastWeighed, lastGrad, W.Load(gradInput + j));
            lastTotal.Store(gradInput + j);
            crossing[t] = W.Sum(sum + Rows.OnlyFirst(lastTotal, t - j, lanes));
            for (j += W.Count; j < t + TileProduct.Rows && j < paddedChunk; j += W.Count)
            {
                W.Zero.Store(scores + j);
                W.Zero.Store(gradScores + j);
            }
        }
    }

    /// <summary>∂q_t = s_t (C u_t + r_t n) + Σ_j ∂S_tj k_j; what the first part takes from q_t is what row t takes from the state before the chunk.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Queries<W>(
        in MlstmGates gates, float* q, float* k, float* c, float* n, float* stateByValue, float* gradScores, float* gradSums, float* gradProducts,
        float* keySums, float* fromState, int start, int count, bool hasState)
        where W : struct, ILanes<W>
    {
        int keys = Sizes.KeyDim, values = Sizes.ValueDim, paddedKeys = Sizes.PaddedKeyDim, paddedValues = Sizes.PaddedValueDim;
        var paddedChunk = Sizes.PaddedChunk;
        var target = GradQ != null && keys == paddedKeys ? GradQ + (long)start * keys : keySums;
        if (!hasState)
            new Span<float>(fromState, count).Clear();
        if (hasState)
        {
            TileProduct.Transpose<W>(keys, values, c, paddedValues, stateByValue, paddedKeys, paddedKeys, 1);
            TileProduct.Run<W>(count, paddedKeys, values, gradSums, paddedValues, 1, stateByValue, paddedKeys, target, paddedKeys, add: false);
            for (var t = 0; t < count; t++)
            {
                Rows.AddScaled<W>(target + (long)t * paddedKeys, gradProducts[t], n, keys);
                Rows.Scale<W>(target + (long)t * paddedKeys, paddedKeys, gates.StateWeight[t]);
                fromState[t] = Rows.Dot<W>(target + (long)t * paddedKeys, q + (long)t * paddedKeys, keys);
            }
        }
        if (GradQ == null)
            return;
        for (var t = 0; t < count; t += TileProduct.Rows)
        {
            var rows = Math.Min(TileProduct.Rows, count - t);
            TileProduct.Run<W>(rows, paddedKeys, t + rows, gradScores + (long)t * paddedChunk, paddedChunk, 1,
                k, paddedKeys, target + (long)t * paddedKeys, paddedKeys, hasState);
        }
        if (target == keySums)
            Rows.Store(keySums, count, keys, paddedKeys, GradQ + (long)start * keys);
    }

    /// <summary>∂k_j = Σ_t ∂S_tj q_t + w_j/√D (∂C v_j + ∂n); what the second part takes from k_j is what the state after the chunk takes from step j.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Keys<W>(
        in MlstmGates gates, float* q, float* v, float* gradC, float* gradN, float* gradCByValue, float* gradScores, float* toState,
        float* keySums, int start, int count, bool hasFuture)
        where W : struct, ILanes<W>
    {
        if (!hasFuture)
            new Span<float>(toState, count).Clear();
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
                toState[j] = Rows.Dot<W>(row, K + (long)(start + j) * keys, keys);
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

    /// <summary>Adds what goes through the whole chunk, and what rows from each step on take from the state before it.</summary>
    private static void Suffixes(float* fromState, float* crossing, double through, int count)
    {
        for (var t = count - 1; t >= 0; t--)
            crossing[t] = (float)(crossing[t] + (through += fromState[t]));
    }

    /// <summary>Adds what the state after the chunk takes from the steps before each.</summary>
    private static void Prefixes(float* toState, float* crossing, float* gradInput, int count)
    {
        var sum = 0.0;
        for (var t = 0; t < count; t++)
        {
            crossing[t] = (float)(crossing[t] + sum);
            sum += toState[t];
            gradInput[t] += toState[t];
        }
    }

    /// <summary>
    /// ∂i and ∂f of a chunk. The way of the maximum takes m's whole gradient, which has nearly all of the weights' own gradients in it with the other sign: so
    /// that nothing is left of two large numbers, what lies on that way is reckoned without the weight that is 1.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Gates(
        in MlstmGates gates, float* gradInput, float* crossing, float* leastGrads, float* maximumGrads, ref Later later, int start, int count)
    {
        for (var t = count - 1; t >= 0; t--)
        {
            double input = gradInput[t], forget = crossing[t];
            var maximum = later.Maximum + leastGrads[t];
            later.Residue += maximumGrads[t];
            if (gates.FromInput[t] != 0)
            {
                input = later.IsOfFinalState ? maximum - forget : input + later.Residue;
                later.Residue = 0;
                later.IsOfFinalState = false;
            }
            else
            {
                forget = maximum - input;
            }
            later.Maximum = forget;
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

    /// <summary>What the steps after one have left of m's gradient.</summary>
    private struct Later
    {
        /// <summary>The gradient of m after the step.</summary>
        public double Maximum;

        /// <summary>What of it goes beyond the gradients of the weights, since the last input gate that set m: by ε alone.</summary>
        public double Residue;

        /// <summary>Whether no input gate has set m since, and the final state has gradients: then the residue is not that of ε alone.</summary>
        public bool IsOfFinalState;
    }
}
