namespace Zoo.Host.Generation;

/// <summary>Chooses tokens from logits: temperature, then top-k, then top-p (Holtzman et al. 2020), then a draw.</summary>
/// <remarks>
/// Everything is in double and in one order, the most likely token first and of equal ones the lower id, so that the same logits and the same
/// numbers drawn give the same tokens on every machine.
/// </remarks>
/// <param name="options">How.</param>
internal sealed class Sampler(SamplingOptions options)
{
    /// <summary>The tokens that take part, the most likely first, with their probabilities, which add up to one.</summary>
    /// <param name="logits">One a token; finite, or minus infinity where a token is impossible.</param>
    /// <exception cref="ArgumentException">A logit is NaN or infinite, or every token is impossible.</exception>
    public (int[] Ids, double[] Probabilities) Candidates(ReadOnlySpan<double> logits)
    {
        Check(logits);
        var ids = new int[logits.Length];
        var negated = new double[logits.Length];
        for (var i = 0; i < ids.Length; i++)
            (ids[i], negated[i]) = (i, -logits[i]);
        if (options.Temperature == 0)
        {
            var first = ids.MinBy(i => (negated[i], i));
            return ([first], [1]);
        }
        Array.Sort(ids, (a, b) => negated[a] != negated[b] ? negated[a].CompareTo(negated[b]) : a.CompareTo(b));
        if (options.TopK < ids.Length)
            ids = ids[..options.TopK.Value];

        var largest = logits[ids[0]];
        var weights = new double[ids.Length];
        for (var i = 0; i < ids.Length; i++)
            weights[i] = Math.Exp((logits[ids[i]] - largest) / options.Temperature);
        var total = weights.Sum();
        if (options.TopP < 1)
        {
            var (kept, reached) = (0, 0.0);
            while (kept < ids.Length && reached < options.TopP * total)
                reached += weights[kept++];
            (ids, weights, total) = (ids[..kept], weights[..kept], reached);
        }
        return (ids, [.. weights.Select(w => w / total)]);
    }

    /// <summary>Chooses a token.</summary>
    /// <param name="logits">As <see cref="Candidates"/> takes them.</param>
    /// <param name="random">One number is drawn from it, also where there is nothing to choose.</param>
    /// <exception cref="ArgumentException">As <see cref="Candidates"/>.</exception>
    public int Next(ReadOnlySpan<double> logits, CounterRandom random)
    {
        var (ids, probabilities) = Candidates(logits);
        var left = random.NextDouble();
        for (var i = 0; i < ids.Length - 1; i++)
        {
            left -= probabilities[i];
            if (left < 0)
                return ids[i];
        }
        return ids[^1];
    }

    private static void Check(ReadOnlySpan<double> logits)
    {
        var possible = false;
        for (var i = 0; i < logits.Length; i++)
        {
            if (double.IsNaN(logits[i]) || double.IsPositiveInfinity(logits[i]))
                throw new ArgumentException($"the logit of token {i} is {(double.IsNaN(logits[i]) ? "not a number" : "infinite")}");
            possible |= logits[i] > double.NegativeInfinity;
        }
        if (!possible)
            throw new ArgumentException("every token is impossible");
    }
}
