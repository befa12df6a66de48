namespace Zoo.SageAttention.Ops.Sage;

/// <summary>Which attention kernel of Sage.cu runs, and the sizes it is written for.</summary>
/// <param name="Name">The kernel.</param>
/// <param name="Dims">Of its heads.</param>
/// <param name="Queries">Of a block.</param>
/// <param name="Keys">Of a tile.</param>
/// <param name="Threads">Of a block.</param>
/// <param name="SharedBytes">Of a block.</param>
internal sealed record AttentionPlan(string Name, int Dims, int Queries, int Keys, int Threads, int SharedBytes)
{
    private const int Hopper = 90;
    private const int NarrowDims = 64;
    private const int WideDims = 128;
    private const int TileQueries = 128;
    private const int TileKeys = 64;

    /// <summary>For a card, a second product of FP8 or 16 bits, and heads of so many dimensions.</summary>
    public static AttentionPlan Of(int architecture, SecondProduct product, int dims)
    {
        var padded = dims <= NarrowDims ? NarrowDims : WideDims;
        return product == SecondProduct.E4M3 && architecture == Hopper
            ? OfGroups(padded)
            : OfWarps(product, padded);
    }

    /// <summary>sage_hopper.cuh: three groups of four warps, and a ring of four stages of 128 keys.</summary>
    private static AttentionPlan OfGroups(int dims)
    {
        const int Groups = 3, Keys = 128, Stages = 4, QueriesOfGroup = 64, ThreadsOfGroup = 128, OnesBytes = 1024;
        var stage = (2 * Keys * dims) + OnesBytes + (Keys * sizeof(float)) + (2 * sizeof(long));
        return new($"sage_hopper_{dims}", dims, Groups * QueriesOfGroup, Keys, Groups * ThreadsOfGroup, (Groups * QueriesOfGroup * dims) + (Stages * stage) + sizeof(long));
    }

    /// <summary>sage_attention.cuh: queries, and two stages of keys, values and scales.</summary>
    private static AttentionPlan OfWarps(SecondProduct product, int dims)
    {
        var kind = product switch { SecondProduct.E4M3 => "e4m3", SecondProduct.Float16 => "fp16", _ => "bf16" };
        var stage = (TileKeys * dims * (product == SecondProduct.E4M3 ? 2 : 3)) + (TileKeys * sizeof(float));
        return new($"sage_attention_{kind}_{dims}", dims, TileQueries, TileKeys, dims == NarrowDims ? 128 : 256, (TileQueries * dims) + (2 * stage));
    }
}
