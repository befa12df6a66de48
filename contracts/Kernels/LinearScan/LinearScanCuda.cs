using Zoo.Kernels.Cuda;

namespace Zoo.Kernels;

/// <summary>The linear scan on a card: blocks of 32 dimensions, time spread over the warps of a block, and over blocks where those are few.</summary>
internal sealed class LinearScanCuda : CudaKernel
{
    public override string SourceName => "LinearScan.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device) => call.Size("B") > ScanPlan.MostSequences
        ? $"the batch is {call.Size("B")}; the cuda backend takes at most {ScanPlan.MostSequences}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (a, b, initial, last) = (arrays["a"], arrays["b"], arrays["h0"], arrays["last_state"]);
        var plan = new ScanPlan(call.Count("B"), call.Count("L"), call.Count("D"), cuda.Device);
        var starts = plan.Starts(cuda, initial, "linear_scan_forward_ends", "linear_scan_carry", a, b);
        plan.Launch(cuda, "linear_scan_forward", a, b, starts, arrays["h"], last);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (a, gradStates) = (arrays["a"], arrays.Gradient("h"));
        var plan = new ScanPlan(call.Count("B"), call.Count("L"), call.Count("D"), cuda.Device);
        var starts = plan.Starts(cuda, arrays.Gradient("last_state"), "linear_scan_backward_ends", "linear_scan_carry", a, gradStates);
        plan.Launch(
            cuda, "linear_scan_backward", a, arrays["h0"], arrays["h"], gradStates, starts,
            arrays.Gradient("a"), arrays.Gradient("b"), arrays.Gradient("h0"));
    }
}
