using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The gradients of some entries' rows of the matrix and of their bias, from the gradients of the chunk's logits.</summary>
internal readonly unsafe struct CrossEntropyMatrixBackward(CrossEntropyWork work, int first, int entries) : ISimdKernel
{
    public void Run<V>()
        where V : struct, ILanes<V>
    {
        var (dim, stride) = (work.Dim, work.Stride);
        var logits = work.Logits + first;       // their columns
        if (work.GradWeight != null)
        {
            MatrixProduct.RunPanels<V>(entries, dim, work.Rows, logits, 1, stride, work.HiddenRows, work.Rows,
                work.GradWeight + (long)(work.First + first) * dim, dim, add: false);
        }
        if (work.GradBias == null)
            return;
        var gradBias = work.GradBias + work.First + first;
        new Span<float>(gradBias, entries).Clear();
        for (var row = 0; row < work.Rows; row++)
        {
            for (var i = 0; i < entries; i++)
                gradBias[i] += logits[(long)row * stride + i];
        }
    }
}
