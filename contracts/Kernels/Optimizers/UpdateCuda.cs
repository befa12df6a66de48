using TorchSharp;
using Zoo.Kernels.Cuda;

namespace Zoo.Kernels;

/// <summary>The update on a card: one launch for all tensors, two more for the norm, which stays on the card until it is asked for.</summary>
internal sealed unsafe class UpdateCuda : CudaKernel, IUpdateKernel
{
    private const int Threads = 256;

    /// <summary>Numbers of a piece, as in the .cu.</summary>
    private const int PieceLength = 4096;

    public override string SourceName => "Optimizers.cu";

    public string? WhyNot(IReadOnlyList<UpdatedTensor> tensors)
    {
        if (UpdateList.WhyNot(tensors, DeviceType.CUDA, Backend) is { } fault)
            return fault;
        if (tensors.Count == 0)
            return null;
        var index = tensors[0].Value.device_index;
        if (tensors.FirstOrDefault(t => t.Value.device_index != index) is { } elsewhere)
            return $"'{elsewhere.Name}' is on {elsewhere.Value.device} and '{tensors[0].Name}' on {tensors[0].Value.device}";
        return CudaCard.WhyNone(index) ?? CudaCard.Open(index).WhyNoCompiler;
    }

    public double? Update(IReadOnlyList<UpdatedTensor> tensors, IUpdateRule rule, double largestNorm) =>
        UpdateList.Run(tensors, entries =>
        {
            var device = CudaCard.Open(tensors[0].Value.device_index);
            using var cuda = new CudaLauncher(device, Source, $"the update of {tensors.Count} tensors");
            var result = Run(entries, rule, largestNorm, cuda);
            if (!result.IsPresent)
                return null;
            float norm;
            device.CopyOut(result.Pointer, (nint)(&norm), sizeof(float));
            return norm;
        });

    /// <summary>Launches everything.</summary>
    /// <returns>The norm and the factor on gradients, on the card; absent where no norm was asked for.</returns>
    internal static KernelArray Run(UpdateEntry[] entries, IUpdateRule rule, double largestNorm, CudaLauncher cuda)
    {
        var table = new CudaUpdateEntry[entries.Length];
        var pieces = 0;
        for (var i = 0; i < table.Length; i++)
        {
            table[i] = new CudaUpdateEntry(entries[i], rule.Factors(entries[i].LearningRate, entries[i].WeightDecay), pieces);
            pieces = checked(pieces + CudaSize.Pieces(entries[i].Count, PieceLength));
        }
        var list = cuda.Upload<CudaUpdateEntry>(table);
        KernelArray result = default;
        if (largestNorm > 0)
        {
            result = cuda.Scratch(2);
            var sums = cuda.Scratch(Math.Max(1, pieces));
            cuda.Launch("update_squares", pieces, Threads, 0, list, table.Length, sums);
            cuda.Launch("update_norm", 1, Threads, 0, sums, pieces, (float)largestNorm, result);
        }
        rule.Launch(cuda, pieces, Threads, list, table.Length, result);
        return result;
    }

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var result = Run(UpdateList.Rows(call, arrays), ((UpdateOp)call.Op).RuleOf(call), UpdateOp.LargestNorm(call.Options), cuda);
        if (result.IsPresent)
            cuda.Launch("update_store_norm", 1, 1, 0, result, arrays["grad_norm"]);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda) =>
        throw new NotSupportedException($"{call.Op.Name} has no gradient.");
}
