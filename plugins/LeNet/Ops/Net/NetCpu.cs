using System.Runtime.InteropServices;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.LeNet.Ops.Net;

/// <summary>The net's kernel as an op: images one after the other, activations computed again on the way back instead of kept.</summary>
internal sealed unsafe class NetCpu : OpKernel
{
    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays) => Simd.Run(new Pass(call, arrays, Backwards: false));

    public override void Backward(OpCall call, KernelArrays arrays) => Simd.Run(new Pass(call, arrays, Backwards: true));

    private readonly record struct Pass(OpCall Call, KernelArrays Arrays, bool Backwards) : ISimdKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            var form = NetOp.FormOf(Call.Options);
            var (arrays, names) = (Arrays, NetLayout.Names);
            var (x, logits, kept) = (arrays["x"], arrays["logits"], arrays["kept"]);
            var (xGradient, logitGradient) = (arrays.Gradient("x"), arrays.Gradient("logits"));
            using var workspace = new NetWorkspace();
            var parameters = (float*)NativeMemory.AlignedAlloc(2 * NetLayout.Length * sizeof(float), 64);
            var gradients = parameters + NetLayout.Length;
            try
            {
                NetLayout.Pack([.. names.Select(n => arrays[n].Pointer)], parameters);
                new Span<float>(gradients, NetLayout.Length).Clear();
                for (var image = 0; image < Call.Count("B"); image++)
                {
                    if (kept.IsPresent)
                        new Span<float>(kept.Float32 + image * NetLayout.H2All, NetLayout.H2All).CopyTo(new(workspace.Kept, NetLayout.H2All));
                    NetPass<V>.Forward(workspace, parameters, x.Float32 + image * NetLayout.Image, 0, 0, wrap: false, kept.IsPresent, form);
                    if (!Backwards)
                    {
                        new Span<float>(workspace.Scores, NetLayout.Outputs).CopyTo(new(logits.Float32 + image * NetLayout.Outputs, NetLayout.Outputs));
                        continue;
                    }
                    new Span<float>(workspace.ScoreGradient, NetLayout.OutputsPadded).Clear();
                    new Span<float>(logitGradient.Float32 + image * NetLayout.Outputs, NetLayout.Outputs).CopyTo(new(workspace.ScoreGradient, NetLayout.Outputs));
                    NetPass<V>.Backward(workspace, parameters, gradients, kept.IsPresent, add: true, form,
                        xGradient.IsPresent ? xGradient.Float32 + image * NetLayout.Image : null);
                }
                if (Backwards)
                    NetLayout.Unpack(gradients, [.. names.Select(n => arrays.Gradient(n).Pointer)]);
            }
            finally
            {
                NativeMemory.AlignedFree(parameters);
            }
        }
    }
}
