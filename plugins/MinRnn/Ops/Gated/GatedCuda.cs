using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.MinRnn.Ops;

/// <summary>A gated scan on a card: blocks of 32 dimensions, time spread over the warps of a block, and over blocks where those are few.</summary>
/// <param name="names">The op's arrays.</param>
/// <param name="sizes">The call's sizes.</param>
/// <param name="kernel">First part of the kernels' names.</param>
internal sealed class GatedCuda(GatedNames names, Func<OpCall, GatedSizes> sizes, Func<OpCall, string> kernel) : CudaKernel
{
    public override string SourceName => "Gated.cu";

    /// <summary>The states, where an output gate hides them.</summary>
    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) => HasOutputGate(call)
        ? [new(names.States, call.Size("L"), call.Size("B"), call.Size("D"))]
        : [];

    protected override string? RejectCall(OpCall call, ICudaDevice device) => sizes(call).Batch > ScanPlan.MostSequences
        ? $"the batch is {sizes(call).Batch}; the cuda backend takes at most {ScanPlan.MostSequences}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (x, first, second) = (arrays[names.X], arrays[names.First], arrays[names.Second]);
        var plan = PlanOf(call, cuda);
        var starts = plan.Starts(cuda, arrays[names.Initial], $"{kernel(call)}_forward_ends", "gated_carry", x, first, second);
        var gated = HasOutputGate(call);
        plan.Launch(
            cuda, $"{kernel(call)}_forward", x, first, second, arrays[names.OutputGate], starts,
            arrays[gated ? names.States : names.Output], gated ? arrays[names.Output] : default, arrays[names.Last]);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (first, second, gate, given) = (arrays[names.First], arrays[names.Second], arrays[names.OutputGate], arrays.Gradient(names.Output));
        var plan = PlanOf(call, cuda);
        var starts = plan.Starts(cuda, arrays.Gradient(names.Last), $"{kernel(call)}_backward_ends", "gated_carry", first, second, gate, given);
        plan.Launch(
            cuda, $"{kernel(call)}_backward", arrays[names.X], first, second, gate, arrays[HasOutputGate(call) ? names.States : names.Output],
            arrays[names.Initial], given, starts, arrays.Gradient(names.X), arrays.Gradient(names.First), arrays.Gradient(names.Second),
            arrays.Gradient(names.OutputGate), arrays.Gradient(names.Initial));
    }

    private bool HasOutputGate(OpCall call) => names.OutputGate.Length > 0 && call.Has(names.OutputGate);

    private ScanPlan PlanOf(OpCall call, CudaLauncher cuda)
    {
        var (batch, length, dims) = sizes(call);
        return new ScanPlan(batch, length, dims, cuda.Device);
    }
}
