using System.Runtime.Intrinsics;
using TorchSharp;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.LeNet;

/// <summary>Batch normalisation in C#: all arithmetic in float64, a channel after the other (README.md derives the backward).</summary>
/// <remarks>
/// A channel is summed by one thread in one order, so that results do not depend on the number of threads. [batch, dim] runs over a vector
/// of channels at once, images over a vector of a channel's elements.
/// </remarks>
internal sealed class BatchNormCpu : OpKernel
{
    /// <summary>Mean and 1 / √(variance + ε) in float64, kept for backward: [0] and [1] of [2, channel].</summary>
    private const string Statistics = "statistics";

    private const long ElementsWorthSharing = 1 << 16;

    public override string Backend => KernelChoice.Cpu;

    public override string? Reject(OpCall call) =>
        call.NeedsGradient && (Wants(call, "running_mean") || Wants(call, "running_var"))
            ? "a gradient of the running statistics is wanted, which only the reference backend has"
            : null;

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) =>
        [new(Statistics, 2, call.Size("D")) { Dtype = torch.ScalarType.Float64 }];

    public override unsafe void Forward(OpCall call, KernelArrays arrays)
    {
        var work = new BatchNormForward(
            new BatchNormSizes(call.Size("B"), call.Count("D"), call.Size("E")),
            arrays["x"].Float32, arrays["weight"].Float32, arrays["bias"].Float32,
            arrays["running_mean"].Float32, arrays["running_var"].Float32,
            arrays["y"].Float32, arrays["mean"].Float32, arrays["var"].Float32, (double*)arrays[Statistics].Pointer,
            BatchNorm.Training(call.Options), BatchNorm.Epsilon(call.Options));
        Run(work, work.Sizes);
    }

    public override unsafe void Backward(OpCall call, KernelArrays arrays)
    {
        var work = new BatchNormBackward(
            new BatchNormSizes(call.Size("B"), call.Count("D"), call.Size("E")),
            arrays["x"].Float32, arrays["weight"].Float32, arrays.Gradient("y").Float32, (double*)arrays[Statistics].Pointer,
            arrays.Gradient("x").Float32, arrays.Gradient("weight").Float32, arrays.Gradient("bias").Float32,
            BatchNorm.Training(call.Options));
        Run(work, work.Sizes);
    }

    private static bool Wants(OpCall call, string name) => call.Inputs.Find(name) is { requires_grad: true };

    internal static void Run<W>(W work, BatchNormSizes sizes)
        where W : struct, IChannelWork
    {
        const int Block = 16;   // channels of a cache line
        if (sizes.Total < ElementsWorthSharing)
        {
            Channels(work, sizes, 0, sizes.Channels);
            return;
        }
        WorkShare.For((sizes.Channels + Block - 1) / Block,
            block => Channels(work, sizes, block * Block, Math.Min(sizes.Channels, (block + 1) * Block)));
    }

    private static void Channels<W>(W work, BatchNormSizes sizes, int first, int end)
        where W : struct, IChannelWork
    {
        if (sizes.Elements == 1)
            Columns(work, first, end);
        else
            Planes(work, sizes, first, end);
    }

    /// <summary>As many channels at once as fit a vector, the rest in narrower ones.</summary>
    private static void Columns<W>(W work, int channel, int end)
        where W : struct, IChannelWork
    {
        if (Vector512.IsHardwareAccelerated)
        {
            for (; channel + Wide512.Count <= end; channel += Wide512.Count)
                work.Columns<Wide512>(channel);
        }
        if (Vector256.IsHardwareAccelerated)
        {
            for (; channel + Wide256.Count <= end; channel += Wide256.Count)
                work.Columns<Wide256>(channel);
        }
        for (; channel + Wide128.Count <= end; channel += Wide128.Count)
            work.Columns<Wide128>(channel);
        for (; channel < end; channel++)
            work.Columns<WideScalar>(channel);
    }

    /// <summary>Channel by channel, with the widest vectors that a plane fills.</summary>
    private static void Planes<W>(W work, BatchNormSizes sizes, int first, int end)
        where W : struct, IChannelWork
    {
        for (var channel = first; channel < end; channel++)
        {
            if (Vector512.IsHardwareAccelerated && sizes.Elements >= Wide512.Count)
                work.Plane<Wide512>(channel);
            else if (Vector256.IsHardwareAccelerated && sizes.Elements >= Wide256.Count)
                work.Plane<Wide256>(channel);
            else if (sizes.Elements >= Wide128.Count)
                work.Plane<Wide128>(channel);
            else
                work.Plane<WideScalar>(channel);
        }
    }
}
