using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.MinRnn.Ops;

/// <summary>The complex scan on a card: a thread a dimension of a sequence.</summary>
internal sealed class LruScanCuda : CudaKernel
{
    private const int Threads = 64;

    public override string SourceName => "LruScan.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device) => call.Size("B") > ushort.MaxValue
        ? $"the batch is {call.Size("B")}; the cuda backend takes at most {ushort.MaxValue}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => cuda.Launch(
        "lru_scan_forward", Grid(call), Threads, 0, arrays["x"], arrays["lambda"], arrays["h0"], arrays["h"], arrays["last_state"],
        call.Count("L"), call.Count("N"));

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (batch, count) = (call.Count("B"), 2 * call.Count("N"));
        var gradLambda = arrays.Gradient("lambda");
        var parts = gradLambda.IsPresent ? cuda.Scratch((long)batch * count) : default;
        cuda.Launch(
            "lru_scan_backward", Grid(call), Threads, 0, arrays["lambda"], arrays["h0"], arrays["h"], arrays.Gradient("h"), arrays.Gradient("last_state"),
            arrays.Gradient("x"), arrays.Gradient("h0"), parts, call.Count("L"), call.Count("N"));
        if (gradLambda.IsPresent)
            cuda.Launch("lru_scan_sum", CudaSize.Pieces(count, Threads), Threads, 0, parts, gradLambda, batch, count);
    }

    private static CudaSize Grid(OpCall call) => new(CudaSize.Pieces(call.Count("N"), Threads), call.Count("B"));
}
