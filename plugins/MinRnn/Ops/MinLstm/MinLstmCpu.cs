using Zoo.Kernels;

namespace Zoo.MinRnn.Ops;

/// <summary>minLSTM in C#: both gates, normalised, g and the scan in one pass over memory, in linear space.</summary>
internal sealed class MinLstmCpu : OpKernel
{
    public static readonly GatedNames Names = new("hidden", "f_gate", "h0", "h") { Second = "i_gate" };

    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        if (ActivationOption.IsPlain(call.Options))
            GatedKernel.Forward<TwoGateCell<IdentityActivation>>(GatedSizes.BatchFirst(call), arrays, Names);
        else
            GatedKernel.Forward<TwoGateCell<PositiveActivation>>(GatedSizes.BatchFirst(call), arrays, Names);
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        if (ActivationOption.IsPlain(call.Options))
            GatedKernel.Backward<TwoGateCell<IdentityActivation>>(GatedSizes.BatchFirst(call), arrays, Names);
        else
            GatedKernel.Backward<TwoGateCell<PositiveActivation>>(GatedSizes.BatchFirst(call), arrays, Names);
    }
}
