using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Quantised attention of whole tensors: heads are quantised and packed a few at a time, then their queries are shared out in pieces.</summary>
internal static unsafe class SageForward
{
    private const int QueriesOfAPiece = 96;
    private const long BytesAtATime = 1 << 20;      // packed keys and values that wait for their queries: about what a second cache holds

    /// <summary>o = softmax(scale · q kᵀ) v.</summary>
    /// <param name="sizes">Sizes.</param>
    /// <param name="plan">How it is quantised.</param>
    /// <param name="q">[batch, head, query, dim].</param>
    /// <param name="k">[batch, key head, key, dim].</param>
    /// <param name="v">[batch, key head, key, dim].</param>
    /// <param name="o">[batch, head, query, dim]; zero for a query that sees no key.</param>
    public static void Run(SageSizes sizes, SagePlan plan, float* q, float* k, float* v, float* o)
    {
        var units = sizes.Batch * sizes.KeyHeads;
        if (units == 0 || sizes.Queries == 0 || sizes.Dim == 0)
            return;
        if (sizes.Keys == 0)
        {
            for (var i = 0L; i < (long)units * sizes.Group * sizes.Queries; i++)
                new Span<float>(o + i * sizes.Dim, sizes.Dim).Clear();
            return;
        }
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
            Queries = q + (long)unit * sizes.Group * sizes.Queries * sizes.Dim,
            Keys = k + (long)unit * sizes.Keys * sizes.Dim,
            Values = v + (long)unit * sizes.Keys * sizes.Dim,
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
                    Queries = from.Queries(member),
                    Factors = from.Factors(member),
                    Keys = from.Keys,
                    Values = from.Values,
                    KeyScales = from.KeyScales,
                    Shifts = plan.SmoothedQueries == 0 ? null : from.Shifts(member),
                    ShiftRows = plan.SmoothedQueries,
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
