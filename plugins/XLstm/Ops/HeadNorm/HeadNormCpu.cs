using System.Runtime.InteropServices;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.XLstm.Ops.HeadNorm;

/// <summary>The norm of heads in C#, sequence by sequence.</summary>
internal sealed unsafe class HeadNormCpu : OpKernel
{
    private const string Means = "means";
    private const string Rates = "rates";

    public override string Backend => KernelChoice.Cpu;

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call)
    {
        var rates = new KernelArraySpec(Rates, call.Size("B"), call.Size("H"), call.Size("L"));
        return [rates, rates with { Name = Means }];
    }

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var whole = new HeadNormForward
        {
            Pass = HeadNormPass.Of(call, arrays),
            Y = arrays["y"].Float32,
            Epsilon = HeadNorm.Epsilon(call.Options),
        };
        WorkShare.For(call.Count("B"), i => Simd.Run(whole with { Sequence = i }));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var pass = HeadNormPass.Of(call, arrays);
        int batch = call.Count("B"), width = pass.Heads * pass.Dim;
        var parts = (float*)NativeMemory.AlignedAlloc((nuint)(2L * Math.Max(1, batch) * width) * sizeof(float), 64);
        try
        {
            var whole = new HeadNormBackward
            {
                Pass = pass,
                GradY = arrays.Gradient("y").Float32,
                GradH = arrays.Gradient("h").Float32,
                GradConv = arrays.Gradient("conv").Float32,
                GradGate = arrays.Gradient("gate").Float32,
            };
            WorkShare.For(batch, i => Simd.Run(whole with { Sequence = i, GradWeight = parts + 2L * i * width, GradSkip = parts + (2L * i + 1) * width }));
            Total(parts, batch, width, arrays.Gradient("weight").Float32);
            Total(parts + width, batch, width, arrays.Gradient("skip").Float32);
        }
        finally
        {
            NativeMemory.AlignedFree(parts);
        }
    }

    private static void Total(float* parts, int batch, int width, float* target)
    {
        if (target == null)
            return;
        for (var i = 0; i < width; i++)
        {
            var total = 0f;
            for (var b = 0; b < batch; b++)
                total += parts[2L * b * width + i];
            target[i] = total;
        }
    }
}
