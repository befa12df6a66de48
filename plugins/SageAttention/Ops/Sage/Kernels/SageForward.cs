using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Quantised attention of whole tensors: heads are quantised and packed a few at a time, then their queries are shared out in pieces.</summary>
internal static unsafe class SageForward
{
    private const int QueriesOfAPiece = 96;
    private const long BytesAtATime = 1 << 20;      // packed keys and values that wait for their queries: about what a second cache holds

    /// <summary>o = softmax(scale · q kᵀ) v. There is at least one key, and a head has at least one dimension.</summary>
    /// <param name="sizes">Sizes.</param>
    /// <param name="plan">How it is quantised.</param>
    /// <param name="q">[batch, head, query, dim].</param>
    /// <param name="k">[batch, key head, key, dim].</param>
    /// <param name="v">[batch, key head, key, dim].</param>
    /// <param name="o">[batch, head, query, dim]; zero for a query that sees no key.</param>
    /// <param name="results">What is wanted besides.</param>
    public static void Run(SageSizes sizes, SagePlan plan, float* q, float* k, float* v, float* o, SageResults results)
    {
        var units = sizes.Batch * sizes.KeyHeads;
        if (units == 0 || sizes.Queries == 0)
            return;
        var bytes = SageMemory.Bytes(sizes, plan);
        var together = (int)Math.Clamp(BytesAtATime / bytes, Math.Min(WorkShare.Threads, units), units);
        var memory = (byte*)NativeMemory.AlignedAlloc((nuint)(together * bytes), 64);
        try
        {
            for (var first = 0; first < units; first += together)
                Units(first, Math.Min(together, units - first));
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }

        void Units(int first, int count)
        {
            WorkShare.For(count, i => Simd.Run(Prepare(first + i, i) with { Part = SagePreparation.Means }));
            var (keyBlocks, queryBlocks) = (Blocks(sizes.Keys), Blocks(sizes.Queries));
            WorkShare.For(count * (keyBlocks + sizes.Group * queryBlocks), i =>
            {
                var (unit, block) = (i / (keyBlocks + sizes.Group * queryBlocks), i % (keyBlocks + sizes.Group * queryBlocks));
                var work = Prepare(first + unit, unit);
                Simd.Run(block < keyBlocks
                    ? work with { Part = SagePreparation.KeysAndValues, Block = block }
                    : work with { Part = SagePreparation.QueriesOfAMember, Member = (block - keyBlocks) / queryBlocks, Block = (block - keyBlocks) % queryBlocks });
            });
            var pieces = (sizes.Queries + QueriesOfAPiece - 1) / QueriesOfAPiece;
            WorkShare.For(count * sizes.Group * pieces, i =>
            {
                var (unit, member, piece) = (i / pieces / sizes.Group, i / pieces % sizes.Group, i % pieces);
                Attend(new SageMemory(memory + unit * bytes, sizes, plan), (first + unit) * sizes.Group + member, member, piece);
            });
        }

        SagePreparation Prepare(int unit, int slot) => new()
        {
            Sizes = sizes,
            Plan = plan,
            Memory = new SageMemory(memory + slot * bytes, sizes, plan),
            Results = results,
            Unit = unit,
            Queries = q,
            Keys = k,
            Values = v,
        };

        void Attend(SageMemory from, int head, int member, int piece)
        {
            var first = piece * QueriesOfAPiece;
            var count = Math.Min(QueriesOfAPiece, sizes.Queries - first);
            var scratch = (float*)NativeMemory.AlignedAlloc((nuint)SagePiece.ScratchFloats(sizes, count) * sizeof(float), 64);
            try
            {
                Simd.Run(new SagePiece
                {
                    Sizes = sizes,
                    First = first,
                    Count = count,
                    MultipliesBytes = plan.MultipliesBytes,
                    Queries = from.Queries(member),
                    Factors = from.Factors(member),
                    Keys = from.Keys,
                    Values = from.Values,
                    KeyScales = from.KeyScales,
                    KeyStarts = from.KeyStarts,
                    TileFlaws = from.TileFlaws,
                    Corrections = plan.SmoothsQueries ? from.Corrections(member) : null,
                    ValueScales = from.ValueScales,
                    ValueMeans = from.ValueMeans,
                    Output = o + (long)head * sizes.Queries * sizes.Dim,
                    Scratch = scratch,
                });
            }
            finally
            {
                NativeMemory.AlignedFree(scratch);
            }
        }
    }

    private static int Blocks(int tokens) => (tokens + SagePreparation.TokensOfABlock - 1) / SagePreparation.TokensOfABlock;
}
