using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>Two layers with a GELU between them.</summary>
internal sealed class FeedForward : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "0")] private readonly Dense _wide;
    [ComponentName(Name = "2")] private readonly Dense _narrow;
    private readonly KernelChoice _kernels;

    public FeedForward(MinLmConfig config, BuildContext context) : base(nameof(FeedForward))
    {
        _kernels = context.Kernels;
        _wide = new Dense(config.ModelDim, config.FeedForwardDim, hasBias: true, context);
        _narrow = new Dense(config.FeedForwardDim, config.ModelDim, hasBias: true, context);
        RegisterComponents();
    }

    /// <param name="x">[batch, time, dim].</param>
    /// <returns>[batch, time, dim].</returns>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return _narrow.forward(Gelu.Apply(_wide.forward(x), kernels: _kernels)).MoveToOuterDisposeScope();
    }
}
