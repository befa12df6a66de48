using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using static TorchSharp.torch;

namespace Zoo.Mamba.Ops.Step;

/// <summary>A block's step in C#. Threads share the rows of its large products; the rest is short.</summary>
internal sealed unsafe class MambaStepCpu : OpKernel
{
    private const int BlockRows = 256;

    private const long WeightsWorthSharing = 1 << 16;

    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        int batch = call.Count("B"), dim = call.Count("D"), inner = call.Count("E"), states = call.Count("N"), rank = call.Count("R");
        using var scratch = new Scratch((long)batch * (dim + 4 * inner + rank + 2 * states));
        var normed = scratch.Start;
        var x = normed + (long)batch * dim;
        var z = x + (long)batch * inner;
        var u = z + (long)batch * inner;
        var delta = u + (long)batch * inner;
        var low = delta + (long)batch * inner;
        var b = low + (long)batch * rank;
        var c = b + (long)batch * states;
        var parts = new MambaStepParts
        {
            Batch = batch,
            Dim = dim,
            Inner = inner,
            States = states,
            Width = call.Count("K"),
            IsRms = call.Options.Get("rms_norm", true),
            Epsilon = (float)call.Options.Get("eps", 1e-5),
            Hidden = arrays["hidden"].Float32,
            Residual = arrays["residual"].Float32,
            NormWeight = arrays["norm_weight"].Float32,
            NormBias = arrays["norm_bias"].Float32,
            Sum = arrays["sum"].Float32,
            Normed = normed,
            X = x,
            Z = z,
            U = u,
            Delta = delta,
            B = b,
            C = c,
            ConvWeight = arrays["conv_weight"].Float32,
            ConvBias = arrays["conv_bias"].Float32,
            Inputs = arrays["inputs"].Float32,
            NextInputs = arrays["next_inputs"].Float32,
            A = arrays["A"].Float32,
            Skip = arrays["skip"].Float32,
            Before = arrays["states"].Float32,
            After = arrays["next_states"].Float32,
        };
        Simd.Run(parts with { Part = MambaStepPart.Norm });
        Multiply("in_x", "in_x_bias", inner, dim, normed, x);
        Multiply("in_z", "in_z_bias", inner, dim, normed, z);
        Simd.Run(parts with { Part = MambaStepPart.Convolution });
        Multiply("x_dt", "", rank, inner, u, low);
        Multiply("x_b", "", states, inner, u, b);
        Multiply("x_c", "", states, inner, u, c);
        Multiply("dt_weight", "dt_bias", inner, rank, low, delta);
        Simd.Run(parts with { Part = MambaStepPart.Scan });       // y in place of u
        Multiply("out_weight", "out_bias", dim, inner, u, arrays["y"].Float32);

        void Multiply(string weight, string bias, int rows, int length, float* vectors, float* results)
        {
            var product = new MambaStepProduct
            {
                Weight = arrays[weight].Pointer,
                IsBFloat16 = call.Inputs[weight].dtype == ScalarType.BFloat16,
                Count = rows,
                Rows = rows,
                Length = length,
                Batch = batch,
                X = vectors,
                Bias = arrays[bias].Float32,
                Y = results,
            };
            if (WorkShare.Threads == 1 || (long)rows * length < WeightsWorthSharing)
                Simd.Run(product);
            else
                WorkShare.For((rows + BlockRows - 1) / BlockRows, i => Simd.Run(product with { First = i * BlockRows, Count = Math.Min(BlockRows, rows - i * BlockRows) }));
        }
    }

    public override void Backward(OpCall call, KernelArrays arrays) => throw new NotSupportedException("mamba_step has no gradients.");
}
