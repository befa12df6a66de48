using System.Runtime.InteropServices;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.MatMulFree.Ops.Mlgru;

/// <summary>MLGRU in C#: gates and scan in one pass; backward reckons the gates again. Threads share sequences, and blocks of dimensions.</summary>
internal sealed unsafe class MlgruCpu : OpKernel
{
    public override string Backend => KernelChoice.Cpu;

    public override bool ReadsOutput(string output) => output == "h";

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var whole = new MlgruForward
        {
            Length = call.Count("L"),
            Stride = call.Count("D"),
            Input = arrays["input"].Float32,
            Forget = arrays["forget"].Float32,
            Bound = arrays["lower_bound"].Float32,
            Initial = arrays["h0"].Float32,
            States = arrays["h"].Float32,
            Last = arrays["last_state"].Float32,
        };
        Share(call, (batch, first, count) => Simd.Run(whole.Piece(batch, first, count)));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var (batches, dims) = (call.Count("B"), call.Count("D"));
        var gradBound = arrays.Gradient("lower_bound").Float32;
        using var parts = new Scratch(gradBound == null ? 0 : (long)batches * dims);
        var whole = new MlgruBackward
        {
            Length = call.Count("L"),
            Stride = dims,
            Input = arrays["input"].Float32,
            Forget = arrays["forget"].Float32,
            Bound = arrays["lower_bound"].Float32,
            Initial = arrays["h0"].Float32,
            States = arrays["h"].Float32,
            GradStates = arrays.Gradient("h").Float32,
            GradLast = arrays.Gradient("last_state").Float32,
            GradInput = arrays.Gradient("input").Float32,
            GradForget = arrays.Gradient("forget").Float32,
            GradInitial = arrays.Gradient("h0").Float32,
            GradBound = gradBound == null ? null : parts.Take((long)batches * dims),
        };
        Share(call, (batch, first, count) => Simd.Run(whole.Piece(batch, first, count)));
        if (gradBound == null)
            return;
        NativeMemory.Clear(gradBound, (nuint)dims * sizeof(float));
        for (var batch = 0; batch < batches; batch++)          // each sequence has its own part; added in order
        {
            for (var d = 0; d < dims; d++)
                gradBound[d] += whole.GradBound[(long)batch * dims + d];
        }
    }

    private static void Share(OpCall call, Action<int, int, int> piece) => ScanShare.For(call.Count("B"), call.Count("L"), call.Count("D"), piece);
}
