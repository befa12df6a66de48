using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.MlstmInputs;

/// <summary>The forward of one sequence, a step after the other: its rows stay in the first cache from the input to the gates.</summary>
internal unsafe struct MlstmInputsForward : ISimdKernel
{
    public MlstmInputsSizes Sizes;
    public int Sequence;
    public float* X, Conv, InputWeight, InputBias, ForgetWeight, ForgetBias;
    public float* QueryBias, KeyBias, ValueBias;        // [padded], or null
    public float* QueryBands, KeyBands, ValueBands;
    public float* Q, K, V, I, F;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<W>()
        where W : struct, ILanes<W>
    {
        int width = Sizes.Width, padded = Sizes.Padded, heads = Sizes.Heads, length = Sizes.Length;
        var scratch = Scratch.Of(2L * Sizes.RowSize + padded, 3);
        float* convRow = Row(scratch), plainRow = Row(scratch), made = scratch.Take(padded);
        var sums = stackalloc float[2 * heads];
        for (var t = 0; t < length; t++)
        {
            var step = ((long)Sequence * length + t) * width;
            new Span<float>(Conv + step, width).CopyTo(new Span<float>(convRow, width));
            new Span<float>(X + step, width).CopyTo(new Span<float>(plainRow, width));
            for (var h = 0; h < heads; h++)
                (sums[h], sums[heads + h]) = (InputBias[h], ForgetBias[h]);
            Part<W>(QueryBands, convRow, QueryBias, made, Q, 0, t, sums);
            Part<W>(KeyBands, convRow, KeyBias, made, K, 1, t, sums);
            Part<W>(ValueBands, plainRow, ValueBias, made, V, 2, t, sums);
            for (var h = 0; h < heads; h++)
            {
                var place = ((long)Sequence * heads + h) * length + t;
                (I[place], F[place]) = (sums[h], sums[heads + h]);
            }
        }
    }

    private readonly float* Row(Scratch scratch)
    {
        var row = scratch.Take(Sizes.RowSize);
        new Span<float>(row, Sizes.RowSize).Clear();
        return row + Sizes.RowStart;
    }

    /// <summary>q, k or v of a step, to its heads, and what the gates see of it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Part<W>(float* bands, float* row, float* bias, float* made, float* target, int part, int t, float* sums)
        where W : struct, ILanes<W>
    {
        int width = Sizes.Width, dim = Sizes.HeadDim, heads = Sizes.Heads;
        Bands.Apply<W>(Sizes, bands, row, bias, made);
        for (var h = 0; h < heads; h++)
        {
            new Span<float>(made + h * dim, dim).CopyTo(new Span<float>(target + (((long)Sequence * heads + h) * Sizes.Length + t) * dim, dim));
            var weights = (long)h * 3 * width + part * width;
            sums[h] += Matrix.Rows.Dot<W>(made, InputWeight + weights, width);
            sums[heads + h] += Matrix.Rows.Dot<W>(made, ForgetWeight + weights, width);
        }
    }
}
