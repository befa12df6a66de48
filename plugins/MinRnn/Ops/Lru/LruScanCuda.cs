using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.MinRnn.Ops;

/// <summary>The complex scan on a card: blocks of 32 dimensions, time spread over the warps of a block, and over blocks where those are few.</summary>
internal sealed class LruScanCuda : CudaKernel
{
    public override string SourceName => "LruScan.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device) => call.Size("B") > ScanPlan.MostSequences
        ? $"the batch is {call.Size("B")}; the cuda backend takes at most {ScanPlan.MostSequences}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (x, lambda) = (arrays["x"], arrays["lambda"]);
        var plan = PlanOf(call, cuda);
        var starts = plan.Starts(cuda, arrays["h0"], "lru_scan_forward_ends", "lru_scan_carry", x, lambda);
        plan.Launch(cuda, "lru_scan_forward", x, lambda, starts, arrays["h"], arrays["last_state"]);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (lambda, given, gradLambda, count) = (arrays["lambda"], arrays.Gradient("h"), arrays.Gradient("lambda"), 2 * call.Count("N"));
        var plan = PlanOf(call, cuda);
        var starts = plan.Starts(cuda, arrays.Gradient("last_state"), "lru_scan_backward_ends", "lru_scan_carry", lambda, given);
        var shares = gradLambda.IsPresent ? cuda.Scratch(Math.Max(1, (long)plan.Shares * count)) : default;
        plan.Launch(
            cuda, "lru_scan_backward", lambda, arrays["h0"], arrays["h"], given, starts, arrays.Gradient("x"), arrays.Gradient("h0"), shares);
        if (gradLambda.IsPresent)
            plan.AddShares(cuda, "lru_scan_add_shares", shares, gradLambda, count);
    }

    private static ScanPlan PlanOf(OpCall call, CudaLauncher cuda) =>
        new(call.Count("B"), call.Count("L"), call.Count("N"), cuda.Device, numbers: 2, changeNumbers: 6);
}
