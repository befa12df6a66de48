using TorchSharp.Modules;
using Zoo.Architectures;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.Tasks;

/// <summary>libtorch's GRU and a linear layer on its last state.</summary>
internal sealed class TinyGruVectors : VectorSequenceModel
{
    private readonly GRU _gru;
    private readonly Linear _head;

    public TinyGruVectors(TaskShape shape, int dim) : base(nameof(TinyGruVectors))
    {
        InputDim = shape.InputDim!.Value;
        _gru = nn.GRU(InputDim, dim, batchFirst: true);
        _head = nn.Linear(dim, shape.ClassCount!.Value);
        RegisterComponents();
    }

    public override int InputDim { get; }

    public override Tensor Logits(Tensor x)
    {
        using var scope = NewDisposeScope();
        return _head.forward(_gru.call(x).Item1.select(1, -1)).MoveToOuterDisposeScope();
    }
}
