using Zoo.Kernels.Cpu;
using Zoo.Kernels.Cuda;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>How one optimiser changes a value: its formula, once in tensor code and once in vectors.</summary>
internal interface IUpdateRule
{
    /// <summary>How many state tensors a value has, at most 2.</summary>
    int StateCount { get; }

    /// <summary>What is wrong with its numbers, in words for the user; null where nothing is.</summary>
    string? Problem { get; }

    /// <summary>In plain tensor code, in place.</summary>
    /// <param name="tensor">Value, state, rates.</param>
    /// <param name="gradient">In the value's element type, clipped.</param>
    void Update(UpdatedTensor tensor, Tensor gradient);

    /// <summary>Updates some pieces of a list: <see cref="UpdatePieces{TRule}"/> for the rule's own type, so that the loop is compiled for it.</summary>
    void Update(in UpdateRange range);

    /// <summary>In vectors: the piece's numbers, a multiple of a vector's.</summary>
    /// <param name="piece">Memory and rates.</param>
    /// <param name="scale">Factor on the gradient: 1, or less where it is clipped.</param>
    void Update<V>(in UpdateEntry piece, float scale)
        where V : struct, ILanes<V>;

    /// <summary>What one tensor's rates come to.</summary>
    UpdateFactors Factors(double learningRate, double weightDecay);

    /// <summary>Launches the rule's kernel of Optimizers.cu.</summary>
    /// <param name="cuda">Where.</param>
    /// <param name="pieces">Blocks.</param>
    /// <param name="threads">Threads a block.</param>
    /// <param name="list">The list, <see cref="CudaUpdateEntry"/>.</param>
    /// <param name="count">How long it is.</param>
    /// <param name="normAndScale">The factor on gradients, on the card; absent where there is none.</param>
    void Launch(CudaLauncher cuda, int pieces, int threads, KernelArray list, int count, KernelArray normAndScale);
}
