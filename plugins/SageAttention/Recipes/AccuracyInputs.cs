using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.SageAttention.Recipes;

/// <summary>Queries, keys and values with outliers in channels: what the paper's figures show of trained models, and plain normal numbers hide.</summary>
/// <remarks>
/// A channel's mean is one of all tokens of a head, N(0, 3²), a token's own signal around it N(0, 1): the paper finds in queries and keys a large bias
/// of channels that all tokens share, and a small signal of each token; nearly every channel has one, as rotations by Hadamard matrices help
/// nothing. Factors on queries and keys make the scores, without what adds the same to all keys, spread by 2: the weights are neither alike nor all
/// with one key. Values are N(0, 1), with offsets of channels N(0, 3²) where their smoothing is measured. These numbers were chosen from that
/// description before the first run, and have not been changed since.
/// </remarks>
internal sealed record AccuracyInputs(Tensor Queries, Tensor Keys, Tensor Values)
{
    private const double ChannelMean = 3;
    private const double ScoreSpread = 2;

    /// <summary>A call's inputs, float32 [1, head, token, dim].</summary>
    /// <param name="seed">Of all of them.</param>
    /// <param name="size">How large.</param>
    /// <param name="offsetValues">Whether values have channel means, too.</param>
    public static AccuracyInputs Draw(int seed, AttentionSize size, bool offsetValues)
    {
        manual_seed(seed);
        // A score's part that differs from key to key is (mean + signal) of the query times the signal of the key: variance (3² + 1) of D terms over D.
        var factor = Math.Sqrt(ScoreSpread / Math.Sqrt(ChannelMean * ChannelMean + 1));
        var (q, k, v) = (Draw(size.Queries, true, factor), Draw(size.Keys, true, factor), Draw(size.Keys, offsetValues, 1));
        return new(q, k, v);

        Tensor Draw(long tokens, bool withMeans, double scale)
        {
            using var scope = NewDisposeScope();
            using Scalar factorOfAll = scale, spread = ChannelMean;
            var (means, signal) = (randn(1, size.Heads, 1, size.Dim) * spread, randn(1, size.Heads, tokens, size.Dim));
            return ((withMeans ? signal + means : signal) * factorOfAll).MoveToOuterDisposeScope();
        }
    }

    /// <summary>Queries and keys turned by a Hadamard matrix with random signs: the scores stay, outliers spread (QuaRot).</summary>
    public AccuracyInputs Rotated(int seed)
    {
        using var scope = NewDisposeScope();
        manual_seed(seed);
        var dim = Queries.shape[3];
        var matrix = ones(1, 1);
        while (matrix.shape[0] < dim)
            matrix = cat([cat([matrix, matrix], 1), cat([matrix, -matrix], 1)], 0);
        using Scalar norm = 1 / Math.Sqrt(dim), two = 2, one = 1;
        var signs = randint(0, 2, [dim, 1], ScalarType.Float32) * two - one;
        matrix = signs * matrix * norm;
        return this with
        {
            Queries = nn.functional.linear(Queries, matrix.t()).MoveToOuterDisposeScope(),
            Keys = nn.functional.linear(Keys, matrix.t()).MoveToOuterDisposeScope(),
        };
    }

    /// <summary>Channels of keys divided, and of queries multiplied, by the root of the keys' largest (SmoothAttention of QServe).</summary>
    public AccuracyInputs Migrated()
    {
        using var scope = NewDisposeScope();
        var factors = Keys.abs().amax([2], keepdim: true).sqrt();
        return this with { Queries = (Queries * factors).MoveToOuterDisposeScope(), Keys = (Keys / factors).MoveToOuterDisposeScope() };
    }
}
