using Zoo.Kernels;

namespace Zoo.MinRnn.Ops;

/// <summary>minGRU in C#: gates, g and the scan in one pass over memory, in linear space.</summary>
internal sealed class MinGruCpu : OpKernel
{
    public static readonly GatedNames Names = new("hidden", "gate", "h0", "h");

    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        if (ActivationOption.IsPlain(call.Options))
            GatedKernel.Forward<OneGateCell<IdentityActivation>>(GatedSizes.BatchFirst(call), arrays, Names);
        else
            GatedKernel.Forward<OneGateCell<PositiveActivation>>(GatedSizes.BatchFirst(call), arrays, Names);
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        if (ActivationOption.IsPlain(call.Options))
            GatedKernel.Backward<OneGateCell<IdentityActivation>>(GatedSizes.BatchFirst(call), arrays, Names);
        else
            GatedKernel.Backward<OneGateCell<PositiveActivation>>(GatedSizes.BatchFirst(call), arrays, Names);
    }
}
