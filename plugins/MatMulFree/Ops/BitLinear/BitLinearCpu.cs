using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.MatMulFree.Ops.Kernels;

namespace Zoo.MatMulFree.Ops.BitLinear;

/// <summary>
/// The layer in C#. Forward: a few rows at a time are normalised, rounded and multiplied as bytes while they are in the first cache. Nothing is kept
/// for backward but the rows themselves, which are rounded again there.
/// </summary>
internal sealed unsafe class BitLinearCpu : OpKernel
{
    private const int RowsOfTile = 64;

    public override string Backend => KernelChoice.Cpu;

    public override bool ReadsOutput(string output) => false;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var sizes = BitLinearSizes.Of(call, arrays["x"]);
        using var panels = CodePanels.Of(arrays["weight"].Float32, sizes.Outputs, sizes.Inputs);
        var whole = new BitLinearForward
        {
            Panels = panels,
            Epsilon = sizes.Epsilon,
            X = arrays["x"].Float32,
            Norm = arrays["norm.weight"].Float32,
            Bias = sizes.HasBias ? arrays["bias"].Float32 : null,
            Y = arrays["y"].Float32,
            Integers = (sbyte*)arrays["x_int8"].Pointer,
            Scales = arrays["x_scale"].Float32,
        };
        var tiles = checked((int)((sizes.Rows + RowsOfTile - 1) / RowsOfTile));
        WorkShare.For(tiles, tile =>
        {
            var first = (long)tile * RowsOfTile;
            Simd.Run(whole with { First = first, Rows = (int)Math.Min(RowsOfTile, sizes.Rows - first) });
        });
        if (!arrays["w_scale"].IsPresent)
            return;
        *arrays["w_scale"].Float32 = panels.Scale;
        TernaryCodes.Bytes(arrays["weight"].Float32, arrays["weight"].Length, panels.Scale, (sbyte*)arrays["w_ternary"].Pointer);
    }

    public override void Backward(OpCall call, KernelArrays arrays) => new BitLinearBackward(BitLinearSizes.Of(call, arrays["x"]), arrays).Run();
}
