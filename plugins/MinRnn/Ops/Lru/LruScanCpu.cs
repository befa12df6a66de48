using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>The complex scan in C#: vectors over dimensions, real and imaginary parts in two of them, one step of time after the other.</summary>
internal sealed unsafe class LruScanCpu : OpKernel
{
    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var whole = new LruScanForward
        {
            Length = call.Count("L"),
            Dims = call.Count("N"),
            X = arrays["x"].Float32,
            Lambda = arrays["lambda"].Float32,
            Initial = arrays["h0"].Float32,
            States = arrays["h"].Float32,
            Last = arrays["last_state"].Float32,
        };
        Sizes(call).Share((batch, first, count) => Simd.Run(whole.Piece(batch, first, count)));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var (batches, dims) = (call.Count("B"), call.Count("N"));
        var gradLambda = arrays.Gradient("lambda");
        var parts = gradLambda.IsPresent ? GC.AllocateUninitializedArray<float>(checked(batches * 2 * dims), pinned: true) : [];
        fixed (float* part = parts)                            // null where empty
        {
            var whole = new LruScanBackward
            {
                Length = call.Count("L"),
                Dims = dims,
                Lambda = arrays["lambda"].Float32,
                Initial = arrays["h0"].Float32,
                States = arrays["h"].Float32,
                GradStates = arrays.Gradient("h").Float32,
                GradLast = arrays.Gradient("last_state").Float32,
                GradX = arrays.Gradient("x").Float32,
                GradInitial = arrays.Gradient("h0").Float32,
                GradLambda = part,
            };
            Sizes(call).Share((batch, first, count) => Simd.Run(whole.Piece(batch, first, count)));
        }
        if (!gradLambda.IsPresent)
            return;
        var sum = gradLambda.Span;                             // in order of the batch, whatever the threads
        sum.Clear();
        for (var batch = 0; batch < batches; batch++)
        {
            for (var i = 0; i < sum.Length; i++)
                sum[i] += parts[batch * sum.Length + i];
        }
    }

    private static GatedSizes Sizes(OpCall call) => new(call.Count("B"), call.Count("L"), call.Count("N"));
}
