using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>Two layers with a GELU between them.</summary>
internal sealed class FeedForward : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "0")] private readonly Dense _wide;
    [ComponentName(Name = "2")] private readonly Dense _narrow;
    private readonly BuildContext _context;

    public FeedForward(MinLmConfig config, BuildContext context) : base(nameof(FeedForward))
    {
        _context = context;
        _wide = new Dense(config.ModelDim, config.FeedForwardDim, hasBias: true, context);
        _narrow = new Dense(config.FeedForwardDim, config.ModelDim, hasBias: true, context);
        RegisterComponents();
    }

    /// <param name="x">[batch, time, dim].</param>
    /// <returns>[batch, time, dim].</returns>
    public override Tensor forward(Tensor x) =>
        MixedPrecision.GeluMlp(x, _wide.weight, _wide.bias, _narrow.weight, _narrow.bias, tanh: false, _context.Dtype, _context.Kernels);
}
