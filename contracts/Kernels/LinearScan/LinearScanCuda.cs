using Zoo.Kernels.Cuda;

namespace Zoo.Kernels;

/// <summary>The linear scan on a card: blocks of 32 dimensions, time spread over the warps of a block, and over blocks where those are few.</summary>
internal sealed class LinearScanCuda : CudaKernel
{
    private const int Lanes = 32;
    private const int StepsOfWarp = 8;
    private const int MostWarps = 16;
    private const int ThreadsOfCarry = 128;
    private const int AffineBytes = 8;

    /// <summary>Blocks of 16 warps that a multiprocessor holds at most.</summary>
    private const int BlocksOfMultiprocessor = 2;

    public override string SourceName => "LinearScan.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device) => call.Size("B") > ushort.MaxValue
        ? $"the batch is {call.Size("B")}; the cuda backend takes at most {ushort.MaxValue}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (a, b, initial, last) = (arrays["a"], arrays["b"], arrays["h0"], arrays["last_state"]);
        var plan = new Plan(call, cuda.Device);
        var starts = plan.Starts(cuda, initial, "linear_scan_forward_ends", a, b);
        plan.Launch(cuda, "linear_scan_forward", a, b, starts, arrays["h"], last);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (a, gradStates) = (arrays["a"], arrays.Gradient("h"));
        var plan = new Plan(call, cuda.Device);
        var starts = plan.Starts(cuda, arrays.Gradient("last_state"), "linear_scan_backward_ends", a, gradStates);
        plan.Launch(
            cuda, "linear_scan_backward", a, arrays["h0"], arrays["h"], gradStates, starts,
            arrays.Gradient("a"), arrays.Gradient("b"), arrays.Gradient("h0"));
    }

    /// <summary>How the work is cut.</summary>
    private readonly record struct Plan
    {
        private readonly int _batch, _length, _dims, _warps, _chunks, _chunkLength;

        public Plan(OpCall call, ICudaDevice device)
        {
            (_batch, _length, _dims) = (call.Count("B"), call.Count("L"), call.Count("D"));
            _warps = Math.Clamp(CudaSize.Pieces(_length, StepsOfWarp), 1, MostWarps);
            var tile = _warps * StepsOfWarp;
            var blocks = Math.Max(1, _batch * CudaSize.Pieces(_dims, Lanes));
            var room = device.MultiprocessorCount * BlocksOfMultiprocessor;
            // A chunk of fewer than four tiles is not worth being read twice.
            var chunks = Math.Max(1, Math.Min(Math.Min(room / blocks, _length / (4 * tile)), ushort.MaxValue / Math.Max(1, _batch)));
            _chunkLength = CudaSize.Pieces(CudaSize.Pieces(_length, chunks), tile) * tile;
            _chunks = Math.Max(1, CudaSize.Pieces(_length, Math.Max(1, _chunkLength)));
        }

        /// <summary>The number that each chunk starts from: the sequence's own where there is one chunk.</summary>
        public KernelArray Starts(CudaLauncher cuda, KernelArray initial, string ends, KernelArray first, KernelArray second)
        {
            if (_chunks == 1)
                return initial;
            var count = (long)_batch * _chunks * _dims;
            var (parts, starts) = (cuda.Scratch(count, AffineBytes), cuda.Scratch(count));
            cuda.Launch(ends, Grid, Block, 0, first, second, parts, _length, _dims, _chunks, _chunkLength);
            cuda.Launch(
                "linear_scan_carry", CudaSize.Pieces((long)_batch * _dims, ThreadsOfCarry), ThreadsOfCarry, 0, parts, initial, starts, _batch, _dims, _chunks);
            return starts;
        }

        /// <summary>Launches the scan itself.</summary>
        public void Launch(CudaLauncher cuda, string kernel, params ReadOnlySpan<CudaArgument> arrays) =>
            cuda.Launch(kernel, Grid, Block, 0, [.. arrays, _length, _dims, _chunks, _chunkLength]);

        private CudaSize Grid => new(CudaSize.Pieces(_dims, Lanes), _batch * _chunks);

        private CudaSize Block => new(Lanes, _warps);
    }
}
