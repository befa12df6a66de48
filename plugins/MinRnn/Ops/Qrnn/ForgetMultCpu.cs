using Zoo.Kernels;

namespace Zoo.MinRnn.Ops;

/// <summary>forget_mult in C#. Time comes first, so rows of all sequences lie side by side and count as one.</summary>
internal sealed class ForgetMultCpu : OpKernel
{
    public static readonly GatedNames Names = new("x", "f", "hidden_init", "h");

    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays) =>
        GatedKernel.Forward<MixCell>(GatedSizes.TimeFirst(call), arrays, Names);

    public override void Backward(OpCall call, KernelArrays arrays) =>
        GatedKernel.Backward<MixCell>(GatedSizes.TimeFirst(call), arrays, Names);
}
