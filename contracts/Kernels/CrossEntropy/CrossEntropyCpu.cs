using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>
/// Cross-entropy in C#, a chunk of the vocabulary after the other: its part of the matrix is laid out by columns once, rows of hidden states
/// are shared among threads.
/// </summary>
internal sealed unsafe class CrossEntropyCpu : OpKernel
{
    /// <summary>Entries of the vocabulary whose logits exist at a time: with 128 to 1,024 dimensions the matrix's part fits the second cache.</summary>
    private const int ChunkSize = 512;

    private const int RowsOfAPiece = 32;
    private const string LogSums = "log_sums";

    public override string Backend => KernelChoice.Cpu;

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) => call.Size("E") > ChunkSize
        ? [new(LogSums, call.Size("L"))]
        : [new("exponentials", call.Size("L"), CrossEntropyWork.StrideOf(call.Count("E"))), new("sums", call.Size("L"))];

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        using var work = new CrossEntropyWork(call, arrays, ChunkSize, backward: false);
        var (rows, pieces) = (work.Rows, Pieces(work.Rows, RowsOfAPiece));
        for (var chunk = 0; chunk < work.Chunks; chunk++)
        {
            work.Prepare(chunk);
            WorkShare.For(pieces, i => Simd.Run(new CrossEntropyForward(work, i * RowsOfAPiece, Math.Min(RowsOfAPiece, rows - i * RowsOfAPiece))));
        }
        var loss = 0.0;
        for (var row = 0; row < rows; row++)
        {
            var logSum = work.Maxima[row] + MathF.Log(work.Sums[row]);
            if (work.LogSums != null)
                work.LogSums[row] = logSum;
            if (work.KeptSums != null)
                work.KeptSums[row] = work.Sums[row];
            loss += logSum - work.TargetLogits[row];
        }
        *arrays["loss"].Float32 = (float)(loss / rows);
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        if (!arrays.Gradient("loss").IsPresent)
        {
            foreach (var name in new[] { "hidden", "weight", "bias" })
            {
                if (arrays.Gradient(name) is { IsPresent: true } unreached)
                    NativeMemory.Clear(unreached.Float32, (nuint)(unreached.Length * sizeof(float)));
            }
            return;
        }
        using var work = new CrossEntropyWork(call, arrays, ChunkSize, backward: true);
        work.PrepareBackward();
        work.Share = *arrays.Gradient("loss").Float32 / work.Rows;
        var rows = work.Rows;
        var rowPieces = Pieces(rows, RowsOfAPiece);
        for (var chunk = 0; chunk < work.Chunks; chunk++)
        {
            work.Prepare(chunk);
            // First every row's gradient of its logits, and with them that of the hidden states; then, all rows done, the matrix's.
            WorkShare.For(rowPieces, i => Simd.Run(
                new CrossEntropyRowsBackward(work, i * RowsOfAPiece, Math.Min(RowsOfAPiece, rows - i * RowsOfAPiece))));
            var entries = work.Entries;
            WorkShare.For(Pieces(entries, RowsOfAPiece), i => Simd.Run(
                new CrossEntropyMatrixBackward(work, i * RowsOfAPiece, Math.Min(RowsOfAPiece, entries - i * RowsOfAPiece))));
        }
    }

    private static int Pieces(int count, int size) => (count + size - 1) / size;
}
