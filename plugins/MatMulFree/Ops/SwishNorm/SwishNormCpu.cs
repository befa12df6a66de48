using System.Runtime.InteropServices;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.MatMulFree.Ops.SwishNorm;

/// <summary>The gated norm in C#, a row after the other; backward keeps nothing and reckons the row's rate again.</summary>
internal sealed unsafe class SwishNormCpu : OpKernel
{
    private const int MostPieces = 16;
    private const long NumbersOfAPiece = 1 << 14;
    private const int WidestRow = 1 << 15;      // the backward keeps two rows on the stack

    public override string Backend => KernelChoice.Cpu;

    public override string? Reject(OpCall call) => call.Size("D") > WidestRow
        ? $"rows of {call.Size("D")} numbers are wider than the {WidestRow} that its backward is written for"
        : null;

    public override bool ReadsOutput(string output) => false;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var (rows, dim) = (call.Size("B") * call.Size("L"), call.Count("D"));
        var whole = new SwishNormForward
        {
            Dim = dim,
            Epsilon = SwishNormOp.Epsilon(call),
            X = arrays["x"].Float32,
            Gate = arrays["gate"].Float32,
            Weight = arrays["weight"].Float32,
            Y = arrays["y"].Float32,
        };
        Share(rows, dim, (piece, first, end) => Simd.Run(whole with { First = first, End = end }));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var (rows, dim) = (call.Size("B") * call.Size("L"), call.Count("D"));
        var gradWeight = arrays.Gradient("weight").Float32;
        if (!arrays.Gradient("y").IsPresent)
        {
            foreach (var name in new[] { "x", "gate", "weight" })
                NativeMemory.Clear(arrays.Gradient(name).Float32, (nuint)(arrays.Gradient(name).IsPresent ? arrays.Gradient(name).Bytes : 0));
            return;
        }
        var pieces = Pieces(rows, dim);
        using var parts = new Scratch(gradWeight == null ? 0 : (long)pieces * dim);
        var ofPieces = gradWeight == null ? null : parts.Take((long)pieces * dim);
        var whole = new SwishNormBackward
        {
            Dim = dim,
            Epsilon = SwishNormOp.Epsilon(call),
            X = arrays["x"].Float32,
            Gate = arrays["gate"].Float32,
            Weight = arrays["weight"].Float32,
            GradY = arrays.Gradient("y").Float32,
            GradX = arrays.Gradient("x").Float32,
            GradGate = arrays.Gradient("gate").Float32,
        };
        Share(rows, dim, (piece, first, end) =>
            Simd.Run(whole with { First = first, End = end, GradWeight = Pointers.At(ofPieces, (long)piece * dim) }));
        if (gradWeight == null)
            return;
        NativeMemory.Clear(gradWeight, (nuint)dim * sizeof(float));
        for (var piece = 0; piece < pieces; piece++)           // in order, whoever reckoned them
        {
            for (var i = 0; i < dim; i++)
                gradWeight[i] += ofPieces[(long)piece * dim + i];
        }
    }

    /// <summary>A function of the sizes alone: results do not depend on the number of threads.</summary>
    private static int Pieces(long rows, int dim) => (int)Math.Clamp(rows * dim / NumbersOfAPiece, 1, Math.Min(MostPieces, Math.Max(rows, 1)));

    private static void Share(long rows, int dim, Action<int, long, long> body)
    {
        var pieces = Pieces(rows, dim);
        WorkShare.For(pieces, piece => body(piece, rows * piece / pieces, rows * (piece + 1) / pieces));
    }
}
