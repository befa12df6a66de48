using Zoo.Kernels;
using Zoo.Kernels.Cuda;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.MlstmInputs;

/// <summary>mLSTM's inputs on a card: q, k and v a thread a number, the gates on tensor cores.</summary>
internal sealed class MlstmInputsCuda : CudaKernel
{
    private const int Threads = 256;
    private const int TileThreads = 128;
    private const int Tile = 64;
    private const int BlocksOfMultiprocessor = 4;

    // Of the kernels for blocks of four channels.
    private const int Fours = 4;
    private const int MostGatesOfFours = 8;
    private const int StepsOfFours = 8;
    private const int StripOfFours = 128;
    private const int WarpsOfFours = 8;
    private const int Alignment = 16;

    private static readonly string[] Projections = ["q", "k", "v"];

    public override string SourceName => "MlstmInputs.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device) => call.Size("B") > ushort.MaxValue
        ? $"the batch is {call.Size("B")}; the cuda backend takes at most {ushort.MaxValue}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var sizes = MlstmInputsSizes.Of(call);
        var steps = (long)sizes.Batch * sizes.Length;
        if (AreFours(sizes, arrays))
        {
            cuda.Launch(
                "mlstm_inputs_forward_fours", new CudaSize(CudaSize.Pieces(sizes.Length, StepsOfFours), sizes.Batch), Threads, 0,
                arrays["x"], arrays["conv"], arrays["wq"], arrays["wk"], arrays["wv"], arrays["bq"], arrays["bk"], arrays["bv"],
                arrays["wi"], arrays["bi"], arrays["wf"], arrays["bf"], arrays["q"], arrays["k"], arrays["v"], arrays["i"], arrays["f"],
                sizes.Length, sizes.Width, sizes.Heads);
            return;
        }
        cuda.Launch(
            "mlstm_inputs_forward", CudaSize.Pieces(steps * sizes.Width, Threads), Threads, 0,
            arrays["x"], arrays["conv"], arrays["wq"], arrays["wk"], arrays["wv"], arrays["bq"], arrays["bk"], arrays["bv"],
            arrays["q"], arrays["k"], arrays["v"], steps, sizes.Length, sizes.Width, sizes.Block, sizes.Heads);
        cuda.Launch(
            "mlstm_inputs_gates", new CudaSize(CudaSize.Pieces(sizes.Length, Tile), sizes.Batch, CudaSize.Pieces(2L * sizes.Heads, Tile)), TileThreads, 0,
            arrays["q"], arrays["k"], arrays["v"], arrays["wi"], arrays["bi"], arrays["wf"], arrays["bf"], arrays["i"], arrays["f"],
            sizes.Length, sizes.Width, sizes.Heads);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var sizes = MlstmInputsSizes.Of(call);
        var steps = (long)sizes.Batch * sizes.Length;
        if (AreFours(sizes, arrays) && AreAligned([.. new[] { "q", "k", "v", "x", "conv" }.Select(arrays.Gradient)]))
        {
            BackwardOfFours(arrays, cuda, sizes, steps);
            GateWeights(arrays, cuda, sizes, fours: true);
            return;
        }
        var count = steps * sizes.Width;
        var grads = cuda.Scratch(Math.Max(1, 3 * count));
        cuda.Launch(
            "mlstm_inputs_through", CudaSize.Pieces(3 * count, Threads), Threads, 0,
            arrays.Gradient("q"), arrays.Gradient("k"), arrays.Gradient("v"), arrays.Gradient("i"), arrays.Gradient("f"), arrays["wi"], arrays["wf"],
            grads, steps, sizes.Length, sizes.Width, sizes.Heads);
        if (arrays.Gradient("x").IsPresent || arrays.Gradient("conv").IsPresent)
        {
            cuda.Launch(
                "mlstm_inputs_grad_inputs", CudaSize.Pieces(count, Threads), Threads, 0,
                grads, arrays["wq"], arrays["wk"], arrays["wv"], arrays.Gradient("x"), arrays.Gradient("conv"),
                steps, sizes.Length, sizes.Width, sizes.Block, sizes.Heads);
        }
        BlockWeights(arrays, cuda, sizes, steps, grads);
        GateWeights(arrays, cuda, sizes, fours: false);
    }

    /// <summary>Whether the kernels for blocks of four channels take it: the sizes of published models, from addresses that 16 bytes can be read from.</summary>
    private static bool AreFours(MlstmInputsSizes sizes, KernelArrays arrays) =>
        sizes.Block == Fours && sizes.HeadDim % Fours == 0 && 2 * sizes.Heads <= MostGatesOfFours
        && AreAligned([.. new[] { "x", "conv", "wq", "wk", "wv", "bq", "bk", "bv", "wi", "wf", "q", "k", "v" }.Select(name => arrays[name])]);

    private static bool AreAligned(params ReadOnlySpan<KernelArray> arrays)
    {
        foreach (var array in arrays)
        {
            if (array.Pointer % Alignment != 0)
                return false;
        }
        return true;
    }

    private static void BackwardOfFours(KernelArrays arrays, CudaLauncher cuda, MlstmInputsSizes sizes, long steps)
    {
        var weights = Projections.Any(p => arrays.Gradient("w" + p).IsPresent || arrays.Gradient("b" + p).IsPresent);
        if (!weights && !arrays.Gradient("x").IsPresent && !arrays.Gradient("conv").IsPresent)
            return;
        var size = (long)sizes.Width * sizes.Block;
        var (stride, strips) = (3 * size + 3 * sizes.Width, CudaSize.Pieces(sizes.Width, StripOfFours));
        var (pieces, stepsOfBlock) = Pieces.Of(steps, cuda.Device.MultiprocessorCount * BlocksOfMultiprocessor / strips, least: WarpsOfFours);
        var parts = weights ? cuda.Scratch(Math.Max(1, pieces * stride)) : default;
        cuda.Launch(
            "mlstm_inputs_backward_fours", new CudaSize(strips, pieces), Threads, 0,
            arrays["x"], arrays["conv"], arrays["wq"], arrays["wk"], arrays["wv"], arrays["wi"], arrays["wf"],
            arrays.Gradient("q"), arrays.Gradient("k"), arrays.Gradient("v"), arrays.Gradient("i"), arrays.Gradient("f"),
            arrays.Gradient("x"), arrays.Gradient("conv"), parts, steps, stepsOfBlock, sizes.Length, sizes.Width, sizes.Heads);
        if (weights)
            SumBlockWeights(arrays, cuda, sizes, parts, pieces);
    }

    private static void BlockWeights(KernelArrays arrays, CudaLauncher cuda, MlstmInputsSizes sizes, long steps, KernelArray grads)
    {
        if (!Projections.Any(p => arrays.Gradient("w" + p).IsPresent || arrays.Gradient("b" + p).IsPresent))
            return;
        var size = (long)sizes.Width * sizes.Block;
        var (stride, blocks) = (3 * size + 3 * sizes.Width, CudaSize.Pieces(3 * size, Threads));
        var (pieces, stepsOfBlock) = Pieces.Of(steps, cuda.Device.MultiprocessorCount * BlocksOfMultiprocessor / blocks, least: Tile);
        var parts = cuda.Scratch(Math.Max(1, pieces * stride));
        cuda.Launch(
            "mlstm_inputs_grad_weights", new CudaSize(blocks, pieces), Threads, 0,
            grads, arrays["x"], arrays["conv"], parts, steps, stepsOfBlock, sizes.Length, sizes.Width, sizes.Block, sizes.Heads);
        SumBlockWeights(arrays, cuda, sizes, parts, pieces);
    }

    private static void SumBlockWeights(KernelArrays arrays, CudaLauncher cuda, MlstmInputsSizes sizes, KernelArray parts, int pieces)
    {
        var size = (long)sizes.Width * sizes.Block;
        var stride = 3 * size + 3 * sizes.Width;
        for (var p = 0; p < Projections.Length; p++)
        {
            Pieces.Sum(cuda, parts, p * size, arrays.Gradient("w" + Projections[p]), pieces, stride);
            Pieces.Sum(cuda, parts, 3 * size + p * sizes.Width, arrays.Gradient("b" + Projections[p]), pieces, stride);
        }
    }

    private static void GateWeights(KernelArrays arrays, CudaLauncher cuda, MlstmInputsSizes sizes, bool fours)
    {
        string[] gates = ["i", "f"];
        if (!gates.Any(g => arrays.Gradient("w" + g).IsPresent || arrays.Gradient("b" + g).IsPresent))
            return;
        var size = 3L * sizes.Heads * sizes.Width;
        var (stride, groups) = (2 * size + 2 * sizes.Heads, sizes.Batch * CudaSize.Pieces(sizes.Length, Tile));
        var (channelTiles, gateTiles) = fours
            ? (CudaSize.Pieces(3L * sizes.Width, Threads * Fours), 1)
            : (3 * sizes.Heads * CudaSize.Pieces(sizes.HeadDim, Tile), CudaSize.Pieces(2L * sizes.Heads, Tile));
        var (pieces, groupsOfBlock) = Pieces.Of(groups, cuda.Device.MultiprocessorCount * BlocksOfMultiprocessor / (channelTiles * gateTiles), least: 1);
        var parts = cuda.Scratch(Math.Max(1, pieces * stride));
        cuda.Launch(
            fours ? "mlstm_inputs_grad_gates_fours" : "mlstm_inputs_grad_gates", new CudaSize(channelTiles, pieces, gateTiles), fours ? Threads : TileThreads, 0,
            arrays["q"], arrays["k"], arrays["v"], arrays.Gradient("i"), arrays.Gradient("f"), parts, groups, groupsOfBlock,
            sizes.Length, sizes.Width, sizes.Heads);
        for (var g = 0; g < gates.Length; g++)
        {
            Pieces.Sum(cuda, parts, g * size, arrays.Gradient("w" + gates[g]), pieces, stride);
            Pieces.Sum(cuda, parts, 2 * size + g * sizes.Heads, arrays.Gradient("b" + gates[g]), pieces, stride);
        }
    }
}
