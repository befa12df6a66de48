using Zoo.Kernels;
using Zoo.Kernels.Cuda;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.Slstm;

/// <summary>sLSTM on a card: a block has a head of a few sequences for the whole time, its recurrent weights in registers and shared memory.</summary>
internal sealed class SlstmCuda : CudaKernel
{
    private const string Kept = "kept";
    private const int Lanes = 32;
    private const int MostThreads = 1024;
    private const int MostDim = MostThreads / Gates;
    private const int Gates = 4;
    private const int ManyRows = 4;
    private const int Tile = 64;
    private const int TileThreads = 128;
    private const int TurnThreads = 256;
    private const int BlocksOfMultiprocessor = 4;
    private const int StaticSharedBytes = 1 << 10;      // what a kernel may have beside

    public override string SourceName => "Slstm.cu";

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) =>
        [new(Kept, call.Size("B"), call.Size("H"), call.Size("L"), SlstmSizes.Kept, call.Size("D"))];

    protected override string? RejectCall(OpCall call, ICudaDevice device) =>
        call.Size("D") > MostDim ? $"heads are {call.Size("D")} wide; the cuda backend takes at most {MostDim}"
        : Math.Max(call.Size("B"), call.Size("H")) > ushort.MaxValue
            ? $"batch and heads are {call.Size("B")} and {call.Size("H")}; the cuda backend takes at most {ushort.MaxValue}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var weights = arrays["_recurrent_kernel_"];
        var turned = cuda.Scratch(Math.Max(1, weights.Length));
        cuda.Launch("slstm_turn", CudaSize.Pieces(weights.Length, TurnThreads), TurnThreads, 0, weights, turned, call.Count("D"), weights.Length);
        Loop(
            call, cuda, "forward", rowsOfSource: 1,
            arrays["x"], turned, arrays["_bias_"], arrays["state"], arrays["y"], arrays[Slstm.FinalState], arrays[Kept]);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        int batch = call.Count("B"), heads = call.Count("H"), length = call.Count("L"), dim = call.Count("D");
        var gradX = arrays.Gradient("x");
        if (!gradX.IsPresent)
            gradX = cuda.Scratch(Math.Max(1, arrays["x"].Length));
        Loop(
            call, cuda, "backward", rowsOfSource: Gates,
            arrays["_recurrent_kernel_"], arrays["state"], arrays[Slstm.FinalState], arrays[Kept], arrays.Gradient("y"),
            arrays.Gradient(Slstm.FinalState), gradX, arrays.Gradient("state"));
        var (gradWeights, gradBias) = (arrays.Gradient("_recurrent_kernel_"), arrays.Gradient("_bias_"));
        if (!gradWeights.IsPresent && !gradBias.IsPresent)
            return;
        var (size, groups, across) = ((long)heads * Gates * dim * dim, batch * CudaSize.Pieces(length, Tile), CudaSize.Pieces(dim, Tile));
        var stride = size + (Gates * heads * dim);
        var (pieces, groupsOfBlock) = Pieces.Of(
            groups, cuda.Device.MultiprocessorCount * BlocksOfMultiprocessor / Math.Max(1, Gates * across * across * heads), least: 1);
        var parts = cuda.Scratch(Math.Max(1, pieces * stride));
        cuda.Launch(
            "slstm_grad_weights", new CudaSize(Gates * across * across, heads, pieces), TileThreads, 0,
            gradX, arrays["y"], arrays["state"], parts, groups, groupsOfBlock, batch, heads, length, dim);
        Pieces.Sum(cuda, parts, 0, gradWeights, pieces, stride);
        Pieces.Sum(cuda, parts, size, gradBias, pieces, stride);
    }

    /// <summary>A time loop: as many weights in registers as its threads have room for, as many in shared memory as a block of the card may have.</summary>
    private static void Loop(OpCall call, CudaLauncher cuda, string pass, int rowsOfSource, params ReadOnlySpan<CudaArgument> arguments)
    {
        int batch = call.Count("B"), heads = call.Count("H"), dim = call.Count("D");
        var threads = CudaSize.Pieces(Gates * dim, Lanes) * Lanes;
        // Several sequences a block only where there are blocks enough without: a row more costs a block time.
        var rows = (long)batch * heads > 2 * cuda.Device.MultiprocessorCount ? ManyRows : 1;
        var registers = threads switch { <= 128 => 32, <= 256 => 64, <= 512 => rows == 1 ? 64 : 48, _ => 8 };
        var other = rows * ((rowsOfSource * ((dim + 3) / 4 * 4)) + (Gates * dim)) * sizeof(float);
        var room = (cuda.Device.SharedBytesPerBlock - StaticSharedBytes - other) / (threads * sizeof(float));
        var inShared = Math.Clamp((dim - registers + 3) / 4 * 4, 0, room / 4 * 4);     // by fours
        cuda.Launch(
            $"slstm_{pass}_{registers}_{rows}", new CudaSize(heads, CudaSize.Pieces(batch, rows)), threads, other + (inShared * threads * sizeof(float)),
            [.. arguments, batch, heads, call.Count("L"), dim, inShared]);
    }
}
