using Zoo.Kernels;
using Zoo.Kernels.Cuda;
using static TorchSharp.torch;

namespace Zoo.Mamba.Ops.Step;

/// <summary>A block's step on a card, in four launches: a warp a row of each product.</summary>
internal sealed class MambaStepCuda : CudaKernel
{
    private const int Threads = 256;
    private const int Rows = Threads / 32;
    private const int MostSharedBytes = 47 << 10;      // of 48 KiB; the reductions have a little of their own

    private static readonly string[] Matrices = ["in_x", "in_z", "x_dt", "x_b", "x_c", "dt_weight", "out_weight"];

    public override string SourceName => "MambaStep.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device)
    {
        var (widest, parameters) = (Math.Max(call.Size("D"), call.Size("E")), call.Size("R") + 2 * call.Size("N"));
        return Matrices.Select(name => call.Inputs[name].dtype).Distinct().Count() > 1
            ? "its matrices are of several types; the cuda backend takes all in float32 or all in bfloat16"
            : Math.Max(widest, parameters) * sizeof(float) > MostSharedBytes
            ? $"vectors of {Math.Max(widest, parameters)} numbers are longer than the {MostSharedBytes / sizeof(float)} that the cuda backend keeps in shared memory"
            : call.Size("B") > ushort.MaxValue ? $"the batch is {call.Size("B")}; the cuda backend takes at most {ushort.MaxValue}"
            : null;
    }

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        int batch = call.Count("B"), dim = call.Count("D"), inner = call.Count("E"), states = call.Count("N"), rank = call.Count("R"), width = call.Count("K");
        if (batch == 0)
            return;
        var suffix = call.Inputs["in_x"].dtype == ScalarType.BFloat16 ? "_bf16" : "_f32";
        var count = rank + 2 * states;
        var vectors = cuda.Scratch(4L * batch * inner);
        var (x, z, u, gated) = (Part(0), Part(1), Part(2), Part(3));
        var parameters = cuda.Scratch((long)batch * count);
        cuda.Launch(
            "mamba_step_in" + suffix, Grid(2 * inner), Threads, dim * sizeof(float),
            arrays["hidden"], arrays["residual"], arrays["norm_weight"], arrays["norm_bias"], arrays["in_x"], arrays["in_z"], arrays["in_x_bias"],
            arrays["in_z_bias"], arrays["sum"], x, z, dim, inner, call.Options.Get("rms_norm", true) ? 1 : 0, (float)call.Options.Get("eps", 1e-5));
        cuda.Launch(
            "mamba_step_selection" + suffix, Grid(count), Threads, inner * sizeof(float),
            x, arrays["conv_weight"], arrays["conv_bias"], arrays["inputs"], arrays["x_dt"], arrays["x_b"], arrays["x_c"], u, arrays["next_inputs"],
            parameters, inner, width, rank, states);
        cuda.Launch(
            "mamba_step_scan" + suffix, Grid(inner), Threads, count * sizeof(float),
            parameters, arrays["dt_weight"], arrays["dt_bias"], arrays["A"], arrays["skip"], u, z, arrays["states"], gated, arrays["next_states"], inner, rank,
            states);
        cuda.Launch("mamba_step_out" + suffix, Grid(dim), Threads, inner * sizeof(float), gated, arrays["out_weight"], arrays["out_bias"], arrays["y"], dim, inner);

        KernelArray Part(int number) => vectors.Slice((long)number * batch * inner, (long)batch * inner);

        CudaSize Grid(int rows) => new(CudaSize.Pieces(rows, Rows), batch);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => throw new NotSupportedException("mamba_step has no gradients.");
}
