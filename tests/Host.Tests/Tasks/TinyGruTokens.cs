using TorchSharp.Modules;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.Tests.Tasks;

/// <summary>Embedding, libtorch's GRU, head: learns what a small recurrent net can.</summary>
internal sealed class TinyGruTokens : TokenModel
{
    private readonly Embedding _embedding;
    private readonly GRU _gru;
    private readonly Linear _head;

    public TinyGruTokens(int vocabSize, int dim) : base(nameof(TinyGruTokens))
    {
        VocabSize = vocabSize;
        _embedding = nn.Embedding(vocabSize, dim);
        _gru = nn.GRU(dim, dim, batchFirst: true);
        _head = nn.Linear(dim, vocabSize);
        RegisterComponents();
    }

    public override int VocabSize { get; }

    public override Tensor Hidden(Tensor ids) => _gru.call(_embedding.forward(ids)).Item1;

    public override Tensor Head(Tensor hidden) => _head.forward(hidden);
}
