using Zoo.Kernels;

namespace Zoo.MinRnn.Ops;

/// <summary>QRNN pooling in C#. Time comes first, so rows of all sequences lie side by side and count as one.</summary>
internal sealed class QrnnPoolCpu : OpKernel
{
    public static readonly GatedNames Names = new("z", "f", "hidden", "h") { OutputGate = "o", States = "c", Last = "c_last" };

    public override string Backend => KernelChoice.Cpu;

    /// <summary>c, where an output gate hides it.</summary>
    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) =>
        call.Has("o") ? [new("c", call.Size("L"), call.Size("B"), call.Size("D"))] : [];

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        if (call.Has("o"))
            GatedKernel.Forward<OutputGateCell>(GatedSizes.TimeFirst(call), arrays, Names);
        else
            GatedKernel.Forward<OneGateCell<TanhActivation>>(GatedSizes.TimeFirst(call), arrays, Names);
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        if (call.Has("o"))
            GatedKernel.Backward<OutputGateCell>(GatedSizes.TimeFirst(call), arrays, Names);
        else
            GatedKernel.Backward<OneGateCell<TanhActivation>>(GatedSizes.TimeFirst(call), arrays, Names);
    }
}
