using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.MatMulFree.Ops.Mlgru;

/// <summary>MLGRU on a card: gates and scan in one pass over memory.</summary>
internal sealed class MlgruCuda : CudaKernel
{
    public override string SourceName => "Mlgru.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device) => call.Size("B") > ScanPlan.MostSequences
        ? $"the batch is {call.Size("B")}; the cuda backend takes at most {ScanPlan.MostSequences}"
        : null;

    public override bool ReadsOutput(string output) => output == "h";

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (input, forget, bound) = (arrays["input"], arrays["forget"], arrays["lower_bound"]);
        var plan = PlanOf(call, cuda);
        var starts = plan.Starts(cuda, arrays["h0"], "mlgru_forward_ends", "mlgru_carry", input, forget, bound);
        plan.Launch(cuda, "mlgru_forward", input, forget, bound, starts, arrays["h"], arrays["last_state"]);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (input, forget, bound) = (arrays["input"], arrays["forget"], arrays["lower_bound"]);
        var (given, gradBound, dims) = (arrays.Gradient("h"), arrays.Gradient("lower_bound"), call.Count("D"));
        var plan = PlanOf(call, cuda);
        var starts = plan.Starts(cuda, arrays.Gradient("last_state"), "mlgru_backward_ends", "mlgru_carry", forget, bound, given);
        var shares = gradBound.IsPresent ? cuda.Scratch(Math.Max(1, (long)plan.Shares * dims)) : default;
        plan.Launch(
            cuda, "mlgru_backward", input, forget, bound, arrays["h"], arrays["h0"], given, starts, arrays.Gradient("input"),
            arrays.Gradient("forget"), arrays.Gradient("h0"), shares);
        if (gradBound.IsPresent)
            plan.AddShares(cuda, "mlgru_add_bounds", shares, gradBound, dims);
    }

    private static ScanPlan PlanOf(OpCall call, CudaLauncher cuda) =>
        new(call.Count("B"), call.Count("L"), call.Count("D"), cuda.Device);
}
