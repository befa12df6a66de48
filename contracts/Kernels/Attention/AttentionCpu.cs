using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Attention in C#: products of small matrices with what lies in the caches (README.md has the plan).</summary>
internal sealed unsafe class AttentionCpu : OpKernel
{
    private const int QueriesOfAPiece = 256;
    private const string LogSums = "log_sums";

    public override string Backend => KernelChoice.Cpu;

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) => [new(LogSums, call.Size("B"), call.Size("H"), call.Size("L"))];

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var sizes = AttentionSizes.Of(call);
        var (q, k, v, y, logSums) = (arrays["q"], arrays["k"], arrays["v"], arrays["y"], arrays[LogSums]);
        var pieces = (sizes.Queries + QueriesOfAPiece - 1) / QueriesOfAPiece;
        var count = sizes.Batch * sizes.Heads * pieces;
        WorkShare.For(count, i =>
        {
            var next = i + WorkShare.Threads;       // what this thread will probably take
            Simd.Run(new AttentionForward(
                sizes, Piece(i), next < count ? Piece(next) : default, Pointers.At(logSums.Float32, (long)(i / pieces) * sizes.Queries)));
        });

        AttentionPiece Piece(int i)
        {
            var (row, head, first) = (i / pieces / sizes.Heads, i / pieces % sizes.Heads, i % pieces * QueriesOfAPiece);
            var queries = (row * (long)sizes.Queries * sizes.Heads + head) * sizes.Dim;
            var keys = (row * (long)sizes.Keys * sizes.KeyHeads + head / sizes.Group) * sizes.Dim;
            return new AttentionPiece
            {
                First = first,
                Count = Math.Min(QueriesOfAPiece, sizes.Queries - first),
                Q = q.Float32 + queries,
                K = k.Float32 + keys,
                V = v.Float32 + keys,
                Y = y.Float32 + queries,
            };
        }
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var sizes = AttentionSizes.Of(call);
        if (!arrays.Gradient("y").IsPresent)
        {
            foreach (var name in new[] { "q", "k", "v" })
            {
                if (arrays.Gradient(name) is { IsPresent: true } unreached)
                    NativeMemory.Clear(unreached.Float32, (nuint)(unreached.Length * sizeof(float)));
            }
            return;
        }
        // A key head and all query heads that read it are one piece: their parts of its gradient are added in order.
        WorkShare.For(sizes.Batch * sizes.KeyHeads, i =>
        {
            var (row, head) = (i / sizes.KeyHeads, i % sizes.KeyHeads);
            Simd.Run(new AttentionBackward(sizes, arrays, row, head, next: i + WorkShare.Threads));
        });
    }
}
