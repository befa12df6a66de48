using TorchSharp.Modules;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>A table of vectors, as Flax keeps and initialises it.</summary>
internal sealed class FlaxEmbedding : nn.Module<Tensor, Tensor>
{
    public readonly Parameter embedding;

    public FlaxEmbedding(long count, long dim, BuildContext context) : base(nameof(FlaxEmbedding))
    {
        embedding = new Parameter(nn.init.normal_(empty(count, dim), 0, Math.Sqrt(1.0 / dim)).to(context.Device));
        RegisterComponents();
    }

    /// <param name="ids">int64, any shape.</param>
    /// <returns>[ids' shape, dim].</returns>
    public override Tensor forward(Tensor ids) => MixedPrecision.Embed(ids, embedding);
}
