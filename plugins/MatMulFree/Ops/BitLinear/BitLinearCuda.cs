using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.MatMulFree.Ops.BitLinear;

/// <summary>The layer on a card: rows and weights are rounded to bytes, and the tensor cores multiply them in whole numbers.</summary>
internal sealed class BitLinearCuda : CudaKernel
{
    private const int Threads = 256;
    private const int Padding = 64;                         // bytes of a step of the product in whole numbers
    private const int BlocksOfMultiprocessor = 4;
    private const long LeastSlice = 1 << 14;                // weights of a block
    private const long MostRows = 1 << 30;

    public override string SourceName => "BitLinear.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device) =>
        BitLinearSizes.Of(call).Rows is var rows && rows > MostRows ? $"there are {rows} rows; the cuda backend takes at most {MostRows}" : null;

    public override bool ReadsOutput(string output) => false;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var sizes = BitLinearSizes.Of(call, arrays["x"]);
        var (rows, outputs, stride) = ((int)sizes.Rows, sizes.Outputs, CudaSize.Pieces(sizes.Inputs, Padding) * Padding);
        var bytes = cuda.Scratch(sizes.Rows * stride, 1);
        var scales = arrays["x_scale"].IsPresent ? arrays["x_scale"] : cuda.Scratch(sizes.Rows);
        cuda.Launch(
            "bitlinear_rows", rows, Threads, 0,
            arrays["x"], arrays["norm.weight"], bytes, arrays["x_int8"], scales, sizes.Inputs, stride, (float)sizes.Epsilon);
        var weightScale = WeightScale(arrays["weight"], arrays["w_scale"], cuda);
        var codes = cuda.Scratch((long)outputs * stride, 1);
        cuda.Launch("bitlinear_weight_codes", outputs, Threads, 0, arrays["weight"], weightScale, codes, arrays["w_ternary"], sizes.Inputs, stride);
        new ProductPlan(rows, outputs, cuda.Device).Launch(
            cuda, "bitlinear_product", bytes, codes, scales, weightScale, sizes.HasBias ? arrays["bias"] : default, arrays["y"], rows, outputs, stride);
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
        var (rows, rates, inverses) = ((int)sizes.Rows, cuda.Scratch(sizes.Rows), cuda.Scratch(sizes.Rows));
        var values = cuda.Scratch(sizes.Rows * sizes.Inputs);
        cuda.Launch(
            "bitlinear_row_values", rows, Threads, 0,
            arrays["x"], arrays["norm.weight"], values, rates, inverses, sizes.Inputs, (float)sizes.Epsilon);
        if (gradWeight.IsPresent)
            WeightGradient(sizes, given, inverses, values, gradWeight, cuda);
        if (gradX.IsPresent || gradNorm.IsPresent)
            InputGradient(sizes, arrays, given, rates, gradX, gradNorm, cuda);
    }

    /// <summary>Few tiles would leave a card idle: rows are cut into slices then, and their parts added in order.</summary>
    private static void WeightGradient(BitLinearSizes sizes, KernelArray given, KernelArray inverses, KernelArray values, KernelArray target, CudaLauncher cuda)
    {
        var (rows, plan) = ((int)sizes.Rows, new ProductPlan(sizes.Outputs, sizes.Inputs, cuda.Device));
        var slice = CudaSize.Pieces(rows, plan.Slices(rows));
        var slices = CudaSize.Pieces(rows, slice);
        var parts = slices == 1 ? target : cuda.Scratch(slices * target.Length);
        plan.Launch(cuda, "bitlinear_grad_weight", slices, given, inverses, values, parts, rows, sizes.Inputs, sizes.Outputs, slice);
        if (slices > 1)
            Add(parts, target, slices, cuda);
    }

    private static void InputGradient(
        BitLinearSizes sizes, KernelArrays arrays, KernelArray given, KernelArray rates, KernelArray gradX, KernelArray gradNorm, CudaLauncher cuda)
    {
        var weight = arrays["weight"];
        var weightScale = WeightScale(weight, default, cuda);
        var codes = cuda.Scratch(weight.Length);
        cuda.Launch("bitlinear_weight_values", CudaSize.Pieces(weight.Length, Threads), Threads, 0, weight, weightScale, codes, weight.Length);
        var gradNormed = gradX.IsPresent && !gradNorm.IsPresent ? gradX : cuda.Scratch(sizes.Rows * sizes.Inputs);
        new ProductPlan(sizes.Rows, sizes.Inputs, cuda.Device).Launch(
            cuda, "bitlinear_grad_normed", given, codes, weightScale, gradNormed, (int)sizes.Rows, sizes.Inputs, sizes.Outputs);
        var (blocks, rowsOfBlock) = RowBlocks(sizes.Rows, cuda);
        var parts = gradNorm.IsPresent ? cuda.Scratch((long)blocks * sizes.Inputs) : default;
        cuda.Launch(
            "bitlinear_grad_rows", blocks, Threads, 0,
            arrays["x"], arrays["norm.weight"], rates, gradNormed, gradX, parts, sizes.Rows, rowsOfBlock, sizes.Inputs);
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

    private static KernelArray WeightScale(KernelArray weight, KernelArray target, CudaLauncher cuda)
    {
        var slice = Math.Max(LeastSlice, (weight.Length + Threads - 1) / Threads);
        var blocks = CudaSize.Pieces(weight.Length, (int)Math.Min(int.MaxValue, slice));
        var parts = cuda.Scratch(blocks, sizeof(double));
        var scale = target.IsPresent ? target : cuda.Scratch(1);
        cuda.Launch("bitlinear_weight_sums", blocks, Threads, 0, weight, parts, weight.Length, slice);
        cuda.Launch("bitlinear_weight_scale", 1, 32, 0, parts, scale, blocks, weight.Length);
        return scale;
    }
}
