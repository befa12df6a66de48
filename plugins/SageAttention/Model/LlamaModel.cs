using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>The Transformer as Llama has it: rotary positions, RMSNorm before each branch, SwiGLU, grouped heads.</summary>
/// <remarks>Touvron et al. 2023; parameters are named as in Hugging Face's checkpoints.</remarks>
internal sealed class LlamaModel : TransformerModel
{
    [ComponentName(Name = "model")]
    private readonly LlamaBody _body;

    [ComponentName(Name = "lm_head")]
    private readonly LinearLayer? _head;

    private readonly double _dropout;

    public LlamaModel(LlamaConfig config, BuildContext context) : base(config, context)
    {
        _body = new LlamaBody(config, context);
        _head = config.TieEmbeddings ? null : new LinearLayer(config.ModelDim, config.VocabSize, hasBias: false, config.InitialSpread, context);
        _dropout = config.AttentionDropout;
        RegisterComponents();
    }

    protected override Parameter HeadWeight => _head is null ? _body.Embedding.Weight : _head.Weight;

    protected override string? TiedTable => _head is null ? "model.embed_tokens.weight" : null;

    protected override Tensor Run(Tensor ids, KeyValueCache? cache) => _body.Run(ids, cache, Dropout(_dropout));
}
