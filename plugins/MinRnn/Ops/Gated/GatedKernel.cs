using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>Hands an op's arrays to the scan.</summary>
internal static unsafe class GatedKernel
{
    public static void Forward<TCell>(GatedSizes sizes, KernelArrays arrays, GatedNames names)
        where TCell : struct, IGatedCell
    {
        var whole = new GatedForward<TCell>
        {
            Length = sizes.Length,
            Stride = sizes.Dims,
            X = arrays[names.X].Float32,
            First = arrays[names.First].Float32,
            Second = arrays[names.Second].Float32,
            OutputGate = arrays[names.OutputGate].Float32,
            Initial = arrays[names.Initial].Float32,
            States = arrays[TCell.HasOutputGate ? names.States : names.Output].Float32,
            Outputs = TCell.HasOutputGate ? arrays[names.Output].Float32 : null,
            Last = arrays[names.Last].Float32,
        };
        sizes.Share((batch, first, count) => Simd.Run(whole.Piece(batch, first, count)));
    }

    public static void Backward<TCell>(GatedSizes sizes, KernelArrays arrays, GatedNames names)
        where TCell : struct, IGatedCell
    {
        var whole = new GatedBackward<TCell>
        {
            Length = sizes.Length,
            Stride = sizes.Dims,
            X = arrays[names.X].Float32,
            First = arrays[names.First].Float32,
            Second = arrays[names.Second].Float32,
            OutputGate = arrays[names.OutputGate].Float32,
            Initial = arrays[names.Initial].Float32,
            States = arrays[TCell.HasOutputGate ? names.States : names.Output].Float32,
            GradOutputs = arrays.Gradient(names.Output).Float32,
            GradLast = arrays.Gradient(names.Last).Float32,
            GradX = arrays.Gradient(names.X).Float32,
            GradFirst = arrays.Gradient(names.First).Float32,
            GradSecond = arrays.Gradient(names.Second).Float32,
            GradOutputGate = arrays.Gradient(names.OutputGate).Float32,
            GradInitial = arrays.Gradient(names.Initial).Float32,
        };
        sizes.Share((batch, first, count) => Simd.Run(whole.Piece(batch, first, count)));
    }
}
