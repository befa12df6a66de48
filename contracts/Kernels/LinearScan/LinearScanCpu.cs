using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The linear scan in C#: vectors over dimensions, one step of time after the other, so that memory is walked in order.</summary>
/// <remarks>
/// Each number depends on its own dimension alone and is rounded the same way in a full and in a partial vector: how dimensions are shared
/// among threads changes no bit.
/// </remarks>
internal sealed unsafe class LinearScanCpu : OpKernel
{
    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var whole = new LinearScanForward
        {
            Length = call.Count("L"),
            Stride = call.Count("D"),
            A = arrays["a"].Float32,
            B = arrays["b"].Float32,
            Initial = arrays["h0"].Float32,
            States = arrays["h"].Float32,
            Last = arrays["last_state"].Float32,
        };
        Share(call, (batch, first, count) => Simd.Run(whole.Piece(batch, first, count)));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var whole = new LinearScanBackward
        {
            Length = call.Count("L"),
            Stride = call.Count("D"),
            A = arrays["a"].Float32,
            Initial = arrays["h0"].Float32,
            States = arrays["h"].Float32,
            GradStates = arrays.Gradient("h").Float32,
            GradLast = arrays.Gradient("last_state").Float32,
            GradA = arrays.Gradient("a").Float32,
            GradB = arrays.Gradient("b").Float32,
            GradInitial = arrays.Gradient("h0").Float32,
        };
        Share(call, (batch, first, count) => Simd.Run(whole.Piece(batch, first, count)));
    }

    private static void Share(OpCall call, Action<int, int, int> piece) => ScanShare.For(call.Count("B"), call.Count("L"), call.Count("D"), piece);
}
