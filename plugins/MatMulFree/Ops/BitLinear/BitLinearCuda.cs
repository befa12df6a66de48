using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.MatMulFree.Ops.BitLinear;

/// <summary>The layer on a card: rows and weights are rounded to bytes, and the tensor cores multiply them in whole numbers.</summary>
internal sealed class BitLinearCuda : CudaKernel
{
    private const int Threads = 256;
    private const int ProductThreads = 128;
    private const int Tile = 64;                            // rows, outputs, and bytes of a step
    private const int Depth = 16;                           // of a step of the products in float
    private const int BlocksOfMultiprocessor = 4;
    private const long LeastSlice = 1 << 14;                // weights of a block
    private const int MostBlocksY = ushort.MaxValue;

    public override string SourceName => "BitLinear.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device) =>
        BitLinearSizes.Of(call).Rows is var rows && rows > (long)MostBlocksY * Tile
            ? $"there are {rows} rows; the cuda backend takes at most {(long)MostBlocksY * Tile}"
            : null;

    public override bool ReadsOutput(string output) => false;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var sizes = BitLinearSizes.Of(call, arrays["x"]);
        var rounded = new Rounded(sizes, arrays, cuda, arrays["x_int8"], arrays["x_scale"], arrays["w_ternary"], arrays["w_scale"], withRates: false);
        cuda.Launch(
            "bitlinear_product", new CudaSize(CudaSize.Pieces(sizes.Outputs, Tile), CudaSize.Pieces(sizes.Rows, Tile)), ProductThreads, 0,
            rounded.Bytes, rounded.Codes, rounded.Scales, rounded.WeightScale, sizes.HasBias ? arrays["bias"] : default, arrays["y"], sizes.Rows,
            sizes.Outputs, rounded.Stride);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var sizes = BitLinearSizes.Of(call, arrays["x"]);
        var given = arrays.Gradient("y");
        var (gradX, gradNorm, gradWeight) = (arrays.Gradient("x"), arrays.Gradient("norm.weight"), arrays.Gradient("weight"));
        BiasGradient(sizes, given, arrays.Gradient("bias"), cuda);
        if (!given.IsPresent || sizes.Rows == 0)
        {
            cuda.Clear(gradX);
            cuda.Clear(gradNorm);
            cuda.Clear(gradWeight);
            return;
        }
        if (!gradX.IsPresent && !gradNorm.IsPresent && !gradWeight.IsPresent)
            return;
        var rounded = new Rounded(sizes, arrays, cuda, default, default, default, default, withRates: true);
        if (gradWeight.IsPresent)
            WeightGradient(sizes, given, rounded, gradWeight, cuda);
        if (gradX.IsPresent || gradNorm.IsPresent)
            InputGradient(sizes, arrays, given, rounded, gradX, gradNorm, cuda);
    }

    /// <summary>Few tiles would leave a card idle: rows are cut into slices then, and their parts added in order.</summary>
    private static void WeightGradient(BitLinearSizes sizes, KernelArray given, Rounded rounded, KernelArray target, CudaLauncher cuda)
    {
        var (across, down) = (CudaSize.Pieces(sizes.Inputs, Tile), CudaSize.Pieces(sizes.Outputs, Tile));
        var room = Math.Max(1, cuda.Device.MultiprocessorCount * BlocksOfMultiprocessor / (across * down));
        var slices = (int)Math.Clamp(sizes.Rows / (8 * Depth), 1, room);
        var slice = (sizes.Rows + slices - 1) / slices;
        slices = CudaSize.Pieces(sizes.Rows, (int)slice);
        var parts = slices == 1 ? target : cuda.Scratch(slices * target.Length);
        cuda.Launch(
            "bitlinear_grad_weight", new CudaSize(across, down, slices), ProductThreads, 0,
            given, rounded.Scales, rounded.Bytes, parts, sizes.Rows, sizes.Inputs, sizes.Outputs, rounded.Stride, slice);
        if (slices > 1)
            Add(parts, target, slices, cuda);
    }

    private static void InputGradient(
        BitLinearSizes sizes, KernelArrays arrays, KernelArray given, Rounded rounded, KernelArray gradX, KernelArray gradNorm, CudaLauncher cuda)
    {
        var gradNormed = gradX.IsPresent && !gradNorm.IsPresent ? gradX : cuda.Scratch(sizes.Rows * sizes.Inputs);
        cuda.Launch(
            "bitlinear_grad_normed", new CudaSize(CudaSize.Pieces(sizes.Inputs, Tile), CudaSize.Pieces(sizes.Rows, Tile)), ProductThreads, 0,
            given, rounded.Codes, rounded.WeightScale, gradNormed, sizes.Rows, sizes.Inputs, sizes.Outputs, rounded.Stride);
        var (blocks, rowsOfBlock) = RowBlocks(sizes.Rows, cuda);
        var parts = gradNorm.IsPresent ? cuda.Scratch((long)blocks * sizes.Inputs) : default;
        cuda.Launch(
            "bitlinear_grad_rows", blocks, Threads, 0,
            arrays["x"], arrays["norm.weight"], rounded.Rates, gradNormed, gradX, parts, sizes.Rows, rowsOfBlock, sizes.Inputs);
        if (gradNorm.IsPresent)
            Add(parts, gradNorm, blocks, cuda);
    }

    private static void BiasGradient(BitLinearSizes sizes, KernelArray given, KernelArray target, CudaLauncher cuda)
    {
        if (!target.IsPresent)
            return;
        if (!given.IsPresent || !sizes.HasBias || sizes.Rows == 0)
        {
            cuda.Clear(target);
            return;
        }
        var (blocks, rowsOfBlock) = RowBlocks(sizes.Rows, cuda);
        var parts = cuda.Scratch((long)blocks * sizes.Outputs);
        cuda.Launch(
            "bitlinear_column_parts", new CudaSize(CudaSize.Pieces(sizes.Outputs, Threads), blocks), Threads, 0,
            given, parts, sizes.Rows, rowsOfBlock, sizes.Outputs);
        Add(parts, target, blocks, cuda);
    }

    private static (int Blocks, int RowsOfBlock) RowBlocks(long rows, CudaLauncher cuda)
    {
        var room = cuda.Device.MultiprocessorCount * BlocksOfMultiprocessor;
        var rowsOfBlock = (int)Math.Max(1, (rows + room - 1) / room);
        return (CudaSize.Pieces(rows, rowsOfBlock), rowsOfBlock);
    }

    private static void Add(KernelArray parts, KernelArray target, int count, CudaLauncher cuda) =>
        cuda.Launch("bitlinear_add_parts", CudaSize.Pieces(target.Length, Threads), Threads, 0, parts, target, count, target.Length);

    /// <summary>Rows and weights as bytes, in scratch memory.</summary>
    private readonly struct Rounded
    {
        public Rounded(
            BitLinearSizes sizes, KernelArrays arrays, CudaLauncher cuda, KernelArray integers, KernelArray scales, KernelArray ternary,
            KernelArray weightScale, bool withRates)
        {
            Stride = CudaSize.Pieces(sizes.Inputs, Tile) * Tile;
            Bytes = cuda.Scratch(sizes.Rows * Stride, 1);
            Scales = scales.IsPresent ? scales : cuda.Scratch(sizes.Rows);
            Rates = withRates ? cuda.Scratch(sizes.Rows) : default;
            cuda.Launch(
                "bitlinear_rows", (int)sizes.Rows, Threads, 0,
                arrays["x"], arrays["norm.weight"], Bytes, integers, Scales, Rates, sizes.Inputs, Stride, (float)sizes.Epsilon);

            var weight = arrays["weight"];
            var slice = Math.Max(LeastSlice, (weight.Length + Threads - 1) / Threads);
            var blocks = CudaSize.Pieces(weight.Length, (int)Math.Min(int.MaxValue, slice));
            var parts = cuda.Scratch(blocks, sizeof(double));
            WeightScale = weightScale.IsPresent ? weightScale : cuda.Scratch(1);
            cuda.Launch("bitlinear_weight_sums", blocks, Threads, 0, weight, parts, weight.Length, slice);
            cuda.Launch("bitlinear_weight_scale", 1, 32, 0, parts, WeightScale, blocks, weight.Length);
            Codes = cuda.Scratch((long)sizes.Outputs * Stride, 1);
            cuda.Launch(
                "bitlinear_weight_codes", CudaSize.Pieces(Codes.Length, Threads), Threads, 0,
                weight, WeightScale, Codes, ternary, Codes.Length, sizes.Inputs, Stride);
        }

        /// <summary>From a row of bytes or codes to the next.</summary>
        public int Stride { get; }

        public KernelArray Bytes { get; }

        public KernelArray Scales { get; }

        public KernelArray Rates { get; }

        public KernelArray Codes { get; }

        public KernelArray WeightScale { get; }
    }
}
