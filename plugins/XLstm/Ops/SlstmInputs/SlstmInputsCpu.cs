using System.Runtime.InteropServices;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.SlstmInputs;

/// <summary>The gates in C#: small products, head by head, where the numbers lie; threads share rows.</summary>
internal sealed unsafe class SlstmInputsCpu : OpKernel
{
    private const int RowsOfPiece = 512;
    private const int Gates = SlstmInputs.GateCount;

    private static readonly string[] Names = ["wi", "wf", "wz", "wo"];

    public override string Backend => KernelChoice.Cpu;

    public override bool ReadsOutput(string output) => false;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var sizes = new SlstmInputsSizes(call);
        using var scratch = new Scratch(Gates * sizes.WeightsOfGate);
        var turned = scratch.Start;
        LayOut(sizes, arrays, turned, isTurned: true);
        var whole = new SlstmInputsForward
        {
            Sizes = sizes,
            Conv = arrays["conv"].Float32,
            X = arrays["x"].Float32,
            Weights = turned,
            Gates = arrays["gates"].Float32,
        };
        WorkShare.For(Pieces(sizes.Rows), i => Simd.Run(whole with { First = i * RowsOfPiece, Count = Math.Min(RowsOfPiece, sizes.Rows - i * RowsOfPiece) }));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var sizes = new SlstmInputsSizes(call);
        var grads = arrays.Gradient("gates").Float32;
        var ofWeights = false;
        foreach (var name in Names)
            ofWeights |= arrays.Gradient(name).IsPresent;
        var pieces = grads == null ? 0 : Pieces(sizes.Rows);
        var part = Gates * sizes.WeightsOfGate;
        using var scratch = new Scratch(part * (1 + (ofWeights ? pieces : 0)));
        var memory = scratch.Start;
        LayOut(sizes, arrays, memory, isTurned: false);
        var whole = new SlstmInputsBackward
        {
            Sizes = sizes,
            Conv = arrays["conv"].Float32,
            X = arrays["x"].Float32,
            Weights = memory,
            Grads = grads,
            GradConv = arrays.Gradient("conv").Float32,
            GradX = arrays.Gradient("x").Float32,
        };
        WorkShare.For(pieces, i => Simd.Run(whole with
        {
            First = i * RowsOfPiece,
            Count = Math.Min(RowsOfPiece, sizes.Rows - i * RowsOfPiece),
            Part = ofWeights ? memory + (i + 1) * part : null,
        }));
        if (grads == null)
        {
            Clear(whole.GradConv, sizes);
            Clear(whole.GradX, sizes);
        }
        for (var gate = 0; gate < Gates; gate++)
            Total(sizes, memory + part + gate * sizes.WeightsOfGate, part, pieces, arrays.Gradient(Names[gate]).Float32);
    }

    private static void LayOut(SlstmInputsSizes sizes, KernelArrays arrays, float* target, bool isTurned)
    {
        for (var gate = 0; gate < Gates; gate++)
            Simd.Run(new Layout(sizes, arrays[Names[gate]].Float32, target + gate * sizes.WeightsOfGate, isTurned));
    }

    private static void Clear(float* target, SlstmInputsSizes sizes)
    {
        if (target != null)
            NativeMemory.Clear(target, (nuint)((long)sizes.Rows * sizes.Width * sizeof(float)));
    }

    /// <summary>Adds the pieces' parts of a weight's gradient, in order.</summary>
    private static void Total(SlstmInputsSizes sizes, float* parts, long stride, int pieces, float* target)
    {
        if (target == null)
            return;
        for (var row = 0; row < sizes.Heads * sizes.Dim; row++, target += sizes.Dim)
        {
            new Span<float>(target, sizes.Dim).Clear();
            for (var piece = 0; piece < pieces; piece++)
            {
                var from = parts + piece * stride + (long)row * sizes.Padded;
                for (var d = 0; d < sizes.Dim; d++)
                    target[d] += from[d];
            }
        }
    }

    private static int Pieces(int rows) => (rows + RowsOfPiece - 1) / RowsOfPiece;

    /// <summary>A gate's weights with rows of whole vectors, turned or as they are.</summary>
    private readonly struct Layout(SlstmInputsSizes sizes, float* source, float* target, bool isTurned) : ISimdKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            var (dim, padded) = (sizes.Dim, sizes.Padded);
            for (var head = 0; head < sizes.Heads; head++)
            {
                float* from = source + (long)head * dim * dim, to = target + (long)head * dim * padded;
                if (isTurned)
                {
                    TileProduct.Transpose<V>(dim, dim, from, dim, to, padded, padded, 1);
                    continue;
                }
                for (var row = 0; row < dim; row++)
                {
                    new Span<float>(from + row * dim, dim).CopyTo(new Span<float>(to + row * padded, dim));
                    new Span<float>(to + row * padded + dim, padded - dim).Clear();
                }
            }
        }
    }
}
