using TorchSharp.Modules;
using Zoo.Architectures;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.Tasks;

/// <summary>A linear layer on the pixels.</summary>
internal sealed class TinyPixels : ImageClassifier
{
    private readonly Linear _head;

    public TinyPixels(TaskShape shape) : base(nameof(TinyPixels))
    {
        (Input, ClassCount) = (shape.Image!, shape.ClassCount!.Value);
        _head = nn.Linear(Input.Channels * Input.Height * Input.Width, ClassCount);
        RegisterComponents();
    }

    public override ImageShape Input { get; }

    public override int ClassCount { get; }

    public override Tensor Logits(Tensor images) => _head.forward(images.flatten(1));
}
