using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.MinRnn.Ops;

/// <summary>A gated scan on a card: blocks of 32 dimensions, time spread over the warps of a block, and over blocks where those are few.</summary>
/// <param name="names">The op's arrays.</param>
/// <param name="sizes">The call's sizes.</param>
/// <param name="kernel">First part of the kernels' names.</param>
internal sealed class GatedCuda(GatedNames names, Func<OpCall, GatedSizes> sizes, Func<OpCall, string> kernel) : CudaKernel
{
    private const int Lanes = 32;
    private const int StepsOfWarp = 8;
    private const int MostWarps = 16;
    private const int ThreadsOfCarry = 128;
    private const int AffineBytes = 8;

    /// <summary>Blocks of 16 warps that a multiprocessor holds at most.</summary>
    private const int BlocksOfMultiprocessor = 4;

    public override string SourceName => "Gated.cu";

    /// <summary>The states, where an output gate hides them.</summary>
    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) => HasOutputGate(call)
        ? [new(names.States, call.Size("L"), call.Size("B"), call.Size("D"))]
        : [];

    protected override string? RejectCall(OpCall call, ICudaDevice device) => sizes(call).Batch > ushort.MaxValue
        ? $"the batch is {sizes(call).Batch}; the cuda backend takes at most {ushort.MaxValue}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (x, first, second) = (arrays[names.X], arrays[names.First], arrays[names.Second]);
        var plan = new Plan(sizes(call), cuda.Device);
        var starts = plan.Starts(cuda, arrays[names.Initial], $"{kernel(call)}_forward_ends", x, first, second);
        var gated = HasOutputGate(call);
        plan.Launch(
            cuda, $"{kernel(call)}_forward", x, first, second, arrays[names.OutputGate], starts,
            arrays[gated ? names.States : names.Output], gated ? arrays[names.Output] : default, arrays[names.Last]);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (first, second, gate, given) = (arrays[names.First], arrays[names.Second], arrays[names.OutputGate], arrays.Gradient(names.Output));
        var plan = new Plan(sizes(call), cuda.Device);
        var starts = plan.Starts(cuda, arrays.Gradient(names.Last), $"{kernel(call)}_backward_ends", first, second, gate, given);
        plan.Launch(
            cuda, $"{kernel(call)}_backward", arrays[names.X], first, second, gate, arrays[HasOutputGate(call) ? names.States : names.Output],
            arrays[names.Initial], given, starts, arrays.Gradient(names.X), arrays.Gradient(names.First), arrays.Gradient(names.Second),
            arrays.Gradient(names.OutputGate), arrays.Gradient(names.Initial));
    }

    private bool HasOutputGate(OpCall call) => names.OutputGate.Length > 0 && call.Has(names.OutputGate);

    /// <summary>How the work is cut.</summary>
    private readonly record struct Plan
    {
        private readonly int _batch, _length, _dims, _warps, _chunks, _chunkLength;

        public Plan(GatedSizes sizes, ICudaDevice device)
        {
            (_batch, _length, _dims) = sizes;
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
        public KernelArray Starts(CudaLauncher cuda, KernelArray initial, string ends, params ReadOnlySpan<CudaArgument> inputs)
        {
            if (_chunks == 1)
                return initial;
            var count = (long)_batch * _chunks * _dims;
            var (parts, starts) = (cuda.Scratch(count, AffineBytes), cuda.Scratch(count));
            cuda.Launch(ends, Grid, Block, 0, [.. inputs, parts, _length, _dims, _chunks, _chunkLength]);
            cuda.Launch("gated_carry", CudaSize.Pieces((long)_batch * _dims, ThreadsOfCarry), ThreadsOfCarry, 0, parts, initial, starts, _batch, _dims, _chunks);
            return starts;
        }

        /// <summary>Launches the scan itself.</summary>
        public void Launch(CudaLauncher cuda, string kernel, params ReadOnlySpan<CudaArgument> arrays) =>
            cuda.Launch(kernel, Grid, Block, 0, [.. arrays, _length, _dims, _chunks, _chunkLength]);

        private CudaSize Grid => new(CudaSize.Pieces(_dims, Lanes), _batch * _chunks);

        private CudaSize Block => new(Lanes, _warps);
    }
}
