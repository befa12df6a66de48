using System.Numerics;
using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.LeNet;

/// <summary>Batch normalisation on a card: sums of slices of each channel, then one pass that folds them and writes.</summary>
internal sealed class BatchNormCuda : CudaKernel
{
    /// <summary>Mean and 1 / √(variance + ε) in float64, kept for backward: [0] and [1] of [2, channel].</summary>
    private const string Statistics = "statistics";

    private const int Threads = 256;
    private const int PairBytes = 2 * sizeof(double);

    public override string SourceName => "BatchNorm.cu";

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) =>
        [new(Statistics, 2, call.Size("D")) { Dtype = TorchSharp.torch.ScalarType.Float64 }];

    protected override string? RejectCall(OpCall call, ICudaDevice device) =>
        call.NeedsGradient && (Wants(call, "running_mean") || Wants(call, "running_var"))
            ? "a gradient of the running statistics is wanted, which only the reference backend has"
            : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var plan = new Plan(call, cuda.Device);
        var x = arrays["x"];
        var slices = BatchNorm.Training(call.Options) ? plan.Sums(cuda, "batch_norm_forward_sums", x) : default;
        plan.PerValue(
            cuda, "batch_norm_forward_apply",
            [
                x, slices, arrays["running_mean"], arrays["running_var"], arrays["weight"], arrays["bias"], arrays["mean"], arrays["var"], arrays[Statistics],
                arrays["y"],
            ],
            plan.Slices, (float)BatchNorm.Epsilon(call.Options));
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var plan = new Plan(call, cuda.Device);
        var training = BatchNorm.Training(call.Options);
        var (x, g, statistics) = (arrays["x"], arrays.Gradient("y"), arrays[Statistics]);
        var (gradX, gradWeight, gradBias) = (arrays.Gradient("x"), arrays.Gradient("weight"), arrays.Gradient("bias"));
        var needsSums = training || gradWeight.IsPresent || gradBias.IsPresent;
        var slices = needsSums ? plan.Sums(cuda, "batch_norm_backward_sums", x, g, statistics) : default;
        plan.PerValue(
            cuda, "batch_norm_backward_apply", [x, g, slices, arrays["weight"], statistics, gradX, gradWeight, gradBias], plan.Slices, training ? 1 : 0);
    }

    private static bool Wants(OpCall call, string name) => call.Inputs.Find(name) is { requires_grad: true };

    /// <summary>How the work is cut: a channel a block, or 32 where a channel has one element; images into slices.</summary>
    private readonly record struct Plan
    {
        private const int ChannelsOfBlock = 32;

        /// <summary>Blocks of 256 threads that a multiprocessor holds at most.</summary>
        private const int BlocksOfMultiprocessor = 8;

        /// <summary>A thread of a slice has so many values at least.</summary>
        private const int LeastValues = 8;

        private readonly long _batch, _elements, _sliceImages;
        private readonly int _channels;
        private readonly CudaSize _grid, _block;

        public Plan(OpCall call, ICudaDevice device)
        {
            (_batch, _channels, _elements) = (call.Size("B"), call.Count("D"), call.Size("E"));
            var width = _elements == 1 ? ChannelsOfBlock : (int)BitOperations.RoundUpToPowerOf2((ulong)Math.Clamp(_elements, 1, Threads));
            var blocks = _elements == 1 ? CudaSize.Pieces(_channels, ChannelsOfBlock) : _channels;
            var room = Math.Max(1, device.MultiprocessorCount * BlocksOfMultiprocessor / Math.Max(1, blocks));
            var imagesAtOnce = Threads / width;
            var valuesOfImage = Math.Max(1, _elements / width);
            var least = Math.Max(1, LeastValues / valuesOfImage) * imagesAtOnce;
            Slices = (int)Math.Clamp(_batch / least, 1, Math.Min(room, ushort.MaxValue));
            _sliceImages = Math.Max(1, (_batch + Slices - 1) / Slices);
            _grid = new CudaSize(blocks, Slices);
            _block = new CudaSize(width, imagesAtOnce);
        }

        /// <summary>How many slices of the images.</summary>
        public int Slices { get; }

        /// <summary>Two sums of every slice of every channel.</summary>
        public KernelArray Sums(CudaLauncher cuda, string kernel, params ReadOnlySpan<CudaArgument> inputs)
        {
            var sums = cuda.Scratch((long)Slices * _channels, PairBytes);
            PerValue(cuda, kernel, [.. inputs, sums]);
            return sums;
        }

        /// <summary>The blocks over all values.</summary>
        public void PerValue(CudaLauncher cuda, string kernel, ReadOnlySpan<CudaArgument> arrays, params ReadOnlySpan<CudaArgument> last) =>
            cuda.Launch(kernel, _grid, _block, 0, [.. arrays, _batch, _channels, _elements, _sliceImages, .. last]);
    }
}
