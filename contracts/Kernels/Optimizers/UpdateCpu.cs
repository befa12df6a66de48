using TorchSharp;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The update in C#: tensors are cut into pieces, threads share ranges of pieces.</summary>
/// <remarks>
/// A number is updated the same way wherever its piece runs. The norm is summed in float32 within a piece, and in float64 over the pieces in
/// their order: threads change no bit.
/// </remarks>
internal sealed unsafe class UpdateCpu : OpKernel, IUpdateKernel
{
    private const long NumbersWorthSharing = 1 << 15;
    private const int PartsAThread = 4;

    public override string Backend => KernelChoice.Cpu;

    public string? WhyNot(IReadOnlyList<UpdatedTensor> tensors) => UpdateList.WhyNot(tensors, DeviceType.CPU, Backend);

    public double? Update(IReadOnlyList<UpdatedTensor> tensors, IUpdateRule rule, double largestNorm) =>
        UpdateList.Run(tensors, entries => Run(entries, rule, largestNorm));

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var norm = Run(UpdateList.Rows(call, arrays), ((UpdateOp)call.Op).RuleOf(call), UpdateOp.LargestNorm(call.Options));
        if (norm is { } number)
            arrays["grad_norm"].Float32[0] = (float)number;
    }

    /// <summary>There is none: every argument is refused where it requires a gradient.</summary>
    public override void Backward(OpCall call, KernelArrays arrays) => throw new NotSupportedException($"{call.Op.Name} has no gradient.");

    /// <summary>Updates a list.</summary>
    /// <returns>The norm of all gradients where <paramref name="largestNorm"/> is above 0, else null. Where it is not finite, nothing was updated.</returns>
    internal static double? Run(UpdateEntry[] entries, IUpdateRule rule, double largestNorm)
    {
        int pieces = 0;
        long numbers = 0;
        for (var i = 0; i < entries.Length; i++)
        {
            entries[i].PiecesBefore = pieces;
            pieces = checked(pieces + UpdateRange.Pieces(entries[i].Count));
            numbers += entries[i].Count;
        }
        var parts = numbers < NumbersWorthSharing || WorkShare.Threads == 1 ? 1 : Math.Min(pieces, PartsAThread * WorkShare.Threads);
        fixed (UpdateEntry* pinned = entries)
        {
            var whole = new UpdateRange((nint)pinned, entries.Length, 0, pieces, Scale: 1);
            double? norm = null;
            if (largestNorm > 0)
            {
                norm = Norm(whole, parts);
                if (!double.IsFinite(norm.Value))
                    return norm;
                whole = whole with { Scale = (float)Math.Min(1, largestNorm / (norm.Value + UpdateOp.NormEpsilon)) };
            }
            WorkShare.For(parts, i => rule.Update(Part(whole, i, parts)));
            return norm;
        }
    }

    private static double Norm(UpdateRange whole, int parts)
    {
        var sums = new double[whole.End];
        fixed (double* pinned = sums)
        {
            var target = (nint)pinned;
            WorkShare.For(parts, i => Simd.Run(new GradientSquares(Part(whole, i, parts), target)));
        }
        return Math.Sqrt(sums.Sum());
    }

    private static UpdateRange Part(UpdateRange whole, int index, int parts) => whole with
    {
        First = (int)((long)whole.End * index / parts),
        End = (int)((long)whole.End * (index + 1) / parts),
    };
}
