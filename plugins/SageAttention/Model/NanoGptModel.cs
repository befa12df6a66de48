using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>The Transformer as nanoGPT has it: learned positions, LayerNorm before each branch, GELU, a head tied to the embedding.</summary>
/// <remarks>Radford et al. 2019; parameters are named as in karpathy/nanoGPT's checkpoints.</remarks>
internal sealed class NanoGptModel : TransformerModel
{
    [ComponentName(Name = "transformer")]
    private readonly NanoGptBody _body;

    private readonly double _dropout;

    public NanoGptModel(NanoGptConfig config, BuildContext context) : base(config, context)
    {
        _body = new NanoGptBody(config, context);
        _dropout = config.Dropout;
        RegisterComponents();
    }

    protected override Parameter HeadWeight => _body.Embedding.Weight;

    protected override string? TiedTable => "transformer.wte.weight";

    protected override Tensor Run(Tensor ids, KeyValueCache? cache) => _body.Run(ids, cache, Dropout(_dropout));
}
