using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.LeNet.Ops.Net;

/// <summary>The net on a card: a block runs image after image in shared memory; gradients of blocks are added in the blocks' order.</summary>
internal sealed class NetCuda : CudaKernel
{
    /// <summary>Shared memory of a block: Net.cu asserts that it is what it needs.</summary>
    internal const int SharedBytes = 93248;

    internal const int Threads = 256;

    /// <summary>Parameters without padding, as Net.cu lays them out.</summary>
    internal const int Length = 9760;

    public override string SourceName => "Net.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device) => call.Size("B") > int.MaxValue
        ? $"the batch is {call.Size("B")}; the cuda backend takes at most {int.MaxValue}"
        : WhyTooSmall(device);

    /// <summary>Why the device cannot hold a block, in words for the user; null when it can.</summary>
    internal static string? WhyTooSmall(ICudaDevice device) => device.SharedBytesPerBlock < SharedBytes
        ? $"{device.Name} has {device.SharedBytesPerBlock} bytes of shared memory a block; the kernel needs {SharedBytes}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => cuda.Launch(
        "lenet1989_forward", Blocks(call, cuda), Threads, SharedBytes,
        [Pack(cuda, [.. NetLayout.Names.Select(n => arrays[n])]), arrays["x"], arrays["kept"], arrays["logits"], call.Count("B"), .. Of(call)]);

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var blocks = Blocks(call, cuda);
        var parts = cuda.Scratch(Math.Max(1, blocks) * (long)Length);
        cuda.Launch(
            "lenet1989_backward", blocks, Threads, SharedBytes,
            [
                Pack(cuda, [.. NetLayout.Names.Select(n => arrays[n])]), arrays["x"], arrays["kept"], arrays.Gradient("logits"),
                arrays.Gradient("x"), parts, call.Count("B"), .. Of(call),
            ]);
        Unpack(cuda, parts, blocks, [.. NetLayout.Names.Select(n => arrays.Gradient(n))]);
    }

    /// <summary>The eight parameters as one array.</summary>
    internal static KernelArray Pack(CudaLauncher cuda, KernelArray[] parameters)
    {
        var all = cuda.Scratch(Length);
        cuda.Launch("lenet1989_pack", CudaSize.Pieces(Length, Threads), Threads, 0, [.. parameters, all]);
        return all;
    }

    /// <summary>The sum of such arrays to the eight; absent ones are left out.</summary>
    internal static void Unpack(CudaLauncher cuda, KernelArray parts, int count, KernelArray[] parameters) =>
        cuda.Launch("lenet1989_unpack", CudaSize.Pieces(Length, Threads), Threads, 0, [parts, count, .. parameters]);

    private static int Blocks(OpCall call, CudaLauncher cuda) => Math.Min(call.Count("B"), cuda.Device.MultiprocessorCount);

    private static CudaArgument[] Of(OpCall call) => Of(NetOp.FormOf(call.Options));

    internal static CudaArgument[] Of(NetForm form) => [form.Relu ? 1 : 0, form.TanhOutputs ? 1 : 0, form.HiddenBorder];
}
