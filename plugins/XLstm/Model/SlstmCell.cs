using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.XLstm.Config;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model;

/// <summary>The recurrent weights and biases of an sLSTM layer, in the order i, f, z, o, under upstream's names.</summary>
internal sealed class SlstmCell : nn.Module
{
    [ComponentName(Name = "_recurrent_kernel_")]
    private readonly Parameter _recurrent;

    [ComponentName(Name = "_bias_")]
    private readonly Parameter _bias;

    public SlstmCell(SlstmLayerConfig layer, int dim, int block, int blocks)
        : base(nameof(SlstmCell))
    {
        using var scope = NewDisposeScope();
        var (heads, headDim) = (layer.HeadCount, dim / layer.HeadCount);
        var bound = 1 / Math.Sqrt(dim);
        var recurrent = zeros(heads, 4 * headDim, headDim);
        if (layer.RecurrentStart == RecurrentStart.Standard)
            recurrent.uniform_(-bound, bound);
        var bias = zeros(4, heads, headDim);
        if (layer.BiasStart == SlstmBiasStart.Standard)
            bias.uniform_(-bound, bound);
        if (layer.BiasStart == SlstmBiasStart.SmallInit)
            bias[1] = linspace(3, 6, headDim);
        if (layer.BiasStart == SlstmBiasStart.PowerlawBlockdependent)
            bias[1] = PowerLaw(headDim, blocks > 1 ? block / (double)(blocks - 1) : 0);
        _recurrent = new Parameter(recurrent.MoveToOuterDisposeScope());
        _bias = new Parameter(bias.reshape(4 * dim).MoveToOuterDisposeScope());
        RegisterComponents();
    }

    public Tensor Recurrent => _recurrent;

    public Tensor Bias => _bias;

    /// <summary>5 - 12 r^(0.3 + 1.3 depth) for r from 0 to 1 across a head: from what is kept to what is forgotten at once.</summary>
    /// <param name="dim">Width of a head. Of one, r is 0: upstream divides by zero there.</param>
    /// <param name="depth">0 for the first block, 1 for the last.</param>
    private static Tensor PowerLaw(int dim, double depth)
    {
        var exponent = 0.3 + 1.3 * depth;
        return tensor(Enumerable.Range(0, dim).Select(j => (float)(5 - 12 * Math.Pow(dim > 1 ? j / (double)(dim - 1) : 0, exponent))).ToArray());
    }
}
