using System.Runtime.InteropServices;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.XLstm.Ops.Slstm;

/// <summary>sLSTM in C#: the time loop of a head, or of all, for a group of sequences is one piece of work.</summary>
internal sealed unsafe class SlstmCpu : OpKernel
{
    private const string Kept = "kept";

    public override string Backend => KernelChoice.Cpu;

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call)
    {
        var sizes = SlstmSizes.Of(call);
        return [new(Kept, sizes.Batch, sizes.Heads, sizes.Length, SlstmSizes.Kept, sizes.Padded)];
    }

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var sizes = SlstmSizes.Of(call);
        var whole = new SlstmForward
        {
            Sizes = sizes,
            IsEmpty = IsEmpty(sizes, arrays["state"].Float32),
            X = arrays["x"].Float32,
            State = arrays["state"].Float32,
            Recurrent = arrays["_recurrent_kernel_"].Float32,
            Bias = arrays["_bias_"].Float32,
            Y = arrays["y"].Float32,
            FinalState = arrays[Slstm.FinalState].Float32,
            Kept = arrays[Kept].Float32,
        };
        var heads = sizes.HeadsTogether;
        var shares = sizes.Heads / heads;
        WorkShare.For(shares * sizes.Groups, i =>
        {
            var first = i / shares * sizes.GroupRows;
            Simd.Run(whole with { FirstHead = i % shares * heads, Heads = heads, First = first, Rows = Math.Min(sizes.GroupRows, sizes.Batch - first) });
        });
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var sizes = SlstmSizes.Of(call);
        var whole = new SlstmBackward
        {
            Sizes = sizes,
            IsEmpty = IsEmpty(sizes, arrays["state"].Float32),
            State = arrays["state"].Float32,
            Recurrent = arrays["_recurrent_kernel_"].Float32,
            Y = arrays["y"].Float32,
            FinalState = arrays[Slstm.FinalState].Float32,
            Kept = arrays[Kept].Float32,
            GradY = arrays.Gradient("y").Float32,
            GradFinal = arrays.Gradient(Slstm.FinalState).Float32,
            GradX = arrays.Gradient("x").Float32,
            GradState = arrays.Gradient("state").Float32,
        };
        int padded = sizes.Padded, pieces = sizes.Heads * sizes.Groups;
        long weights = 4L * padded * padded, part = weights + 4L * padded;
        // Each piece has its own part of the weights' gradients; they are added in order afterwards.
        var parts = (float*)NativeMemory.AlignedAlloc((nuint)(Math.Max(1, pieces) * part * sizeof(float)), 64);
        try
        {
            WorkShare.For(pieces, i =>
            {
                var first = i / sizes.Heads * sizes.GroupRows;
                Simd.Run(whole with
                {
                    Head = i % sizes.Heads,
                    First = first,
                    Rows = Math.Min(sizes.GroupRows, sizes.Batch - first),
                    GradRecurrent = parts + i * part,
                    GradBias = parts + i * part + weights,
                });
            });
            Total(sizes, parts, part, arrays.Gradient("_recurrent_kernel_").Float32, arrays.Gradient("_bias_").Float32);
        }
        finally
        {
            NativeMemory.AlignedFree(parts);
        }
    }

    private static bool IsEmpty(SlstmSizes sizes, float* state)
    {
        var plane = (long)sizes.Batch * sizes.Heads * sizes.Dim;
        return state == null || !new Span<float>(state + 2 * plane, checked((int)plane)).ContainsAnyExcept(0f);
    }

    private static void Total(SlstmSizes sizes, float* parts, long part, float* gradRecurrent, float* gradBias)
    {
        int dim = sizes.Dim, padded = sizes.Padded;
        for (var row = 0; row < sizes.Heads * 4 * dim; row++)
        {
            var (head, gate, e) = (row / (4 * dim), row / dim % 4, row % dim);
            var place = gate * padded + e;
            if (gradBias != null)
            {
                var total = 0f;
                for (var group = 0; group < sizes.Groups; group++)
                    total += parts[(group * sizes.Heads + head) * part + 4L * padded * padded + place];
                gradBias[((long)gate * sizes.Heads + head) * dim + e] = total;
            }
            if (gradRecurrent == null)
                continue;
            var target = new Span<float>(gradRecurrent + (long)row * dim, dim);
            target.Clear();
            for (var group = 0; group < sizes.Groups; group++)
            {
                var from = parts + (group * sizes.Heads + head) * part + (long)place * padded;
                for (var d = 0; d < dim; d++)
                    target[d] += from[d];
            }
        }
    }
}
