using static TorchSharp.torch;

namespace Zoo.SageAttention.Ops.Sage;

/// <summary>Which tokens share a scale.</summary>
/// <remarks>
/// Blocks of <see cref="Block"/> tokens fall into tiles of <see cref="Tile"/>. In a tile, groups repeat every <see cref="Period"/> tokens, with
/// <see cref="Run"/> tokens in a row of one group: a thread of a tensor core holds query rows that are equal modulo 8, and pairs of keys.
/// </remarks>
/// <param name="Block">Tokens of a block; the number of groups is that of whole blocks.</param>
/// <param name="Tile">Tokens of a tile.</param>
/// <param name="Period">After how many tokens the groups of a tile repeat.</param>
/// <param name="Run">How many tokens in a row are of one group.</param>
internal readonly record struct TokenGroups(int Block, int Tile, int Period, int Run)
{
    private int GroupsOfTile => Period / Run;

    /// <summary>Of queries.</summary>
    public static TokenGroups OfQueries(Granularity granularity, Tiles tiles, long length) => granularity switch
    {
        Granularity.PerTensor => All(length),
        Granularity.PerBlock => new(tiles.BlockQ, tiles.BlockQ, 1, 1),
        Granularity.PerWarp => new(tiles.BlockQ, tiles.WarpQ, 1, 1),
        Granularity.PerThread => new(tiles.BlockQ, tiles.WarpQ, 8, 1),
        _ => new(1, 1, 1, 1),
    };

    /// <summary>Of keys.</summary>
    public static TokenGroups OfKeys(Granularity granularity, Tiles tiles, long length) => granularity switch
    {
        Granularity.PerTensor => All(length),
        Granularity.PerBlock or Granularity.PerWarp => new(tiles.BlockK, tiles.BlockK, 1, 1),
        Granularity.PerThread => new(tiles.BlockK, tiles.WarpK, 8, 2),
        _ => new(1, 1, 1, 1),
    };

    /// <summary>How many groups so many tokens have.</summary>
    public long Count(long length) => WholeBlocks(length) / Tile * GroupsOfTile;

    /// <summary>The group of a token.</summary>
    public long Of(long token) => token / Tile * GroupsOfTile + token % Period / Run;

    /// <summary>The largest of each group; 0 for a group without tokens.</summary>
    /// <param name="perToken">Not negative, [batch, head, token].</param>
    /// <returns>[batch, head, group].</returns>
    public Tensor Largest(Tensor perToken)
    {
        var length = perToken.shape[2];
        if (length == 0)
            return perToken.new_zeros([perToken.shape[0], perToken.shape[1], Count(0)]);
        var padded = nn.functional.pad(perToken, [0, WholeBlocks(length) - length]);
        var grouped = padded.unflatten(2, [-1, Tile / Period, GroupsOfTile, Run]);
        return grouped.amax([3, 5]).flatten(2, 3);
    }

    /// <summary>What each token's group has.</summary>
    /// <param name="perGroup">[batch, head, group].</param>
    /// <param name="length">How many tokens.</param>
    /// <returns>[batch, head, token].</returns>
    public Tensor Spread(Tensor perGroup, long length)
    {
        var groups = new long[length];
        for (var token = 0; token < length; token++)
            groups[token] = Of(token);
        return perGroup.index_select(2, tensor(groups, device: perGroup.device));
    }

    private static TokenGroups All(long length)
    {
        var all = (int)Math.Max(1, length);
        return new(all, all, 1, 1);
    }

    private long WholeBlocks(long length) => (length + Block - 1) / Block * Block;
}
