using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;
using Zoo.MatMulFree.Ops.Kernels;

namespace Zoo.MatMulFree.Ops.BitLinear;

/// <summary>The forward of some rows.</summary>
internal unsafe struct BitLinearForward : ISimdKernel
{
    public CodePanels Panels;
    public double Epsilon;
    public long First;
    public int Rows;
    public float* X, Norm;
    public float* Bias;             // null: none
    public float* Y;
    public sbyte* Integers;         // null: not wanted
    public float* Scales;           // null: not wanted

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var (inputs, padded) = (Panels.Inputs, Panels.Groups * 4);
        var floats = RowQuantizer.WholeVectors<V>(inputs);
        // One piece of memory: a row of floats, what is known of the rows, and their bytes.
        var memory = (byte*)NativeMemory.AlignedAlloc((nuint)(floats * sizeof(float) + Rows * (sizeof(QuantizedRow) + (long)padded)), 64);
        try
        {
            var row = (float*)memory;
            var bytes = (sbyte*)(row + floats);
            var about = (QuantizedRow*)(bytes + (long)Rows * padded);
            for (var r = 0; r < Rows; r++)
            {
                var at = First + r;
                about[r] = RowQuantizer.Run<V>(X + at * inputs, Norm, inputs, Epsilon, row);
                RowQuantizer.Narrow(row, inputs, bytes + (long)r * padded, padded);
                if (Integers != null)
                    new Span<sbyte>(bytes + (long)r * padded, inputs).CopyTo(new Span<sbyte>(Integers + at * inputs, inputs));
                if (Scales != null)
                    Scales[at] = about[r].Scale;
            }
            var y = Y + First * Panels.Outputs;
            // The vector of floats says how wide one of bytes is.
            if (V.Count * sizeof(float) == Bytes512.Count)
                CodeProduct.Run<Bytes512>(Panels, Rows, bytes, about, Bias, y);
            else if (V.Count * sizeof(float) == Bytes256.Count)
                CodeProduct.Run<Bytes256>(Panels, Rows, bytes, about, Bias, y);
            else
                CodeProduct.Run<Bytes128>(Panels, Rows, bytes, about, Bias, y);
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }
}
