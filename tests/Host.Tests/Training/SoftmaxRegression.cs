using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.Training;

/// <summary>One matrix, zero at first: nothing random, nothing that looks across a batch.</summary>
internal class SoftmaxRegression : ImageClassifier
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight = nn.Parameter(zeros(3, 16));

    public SoftmaxRegression() : base("softmax") => RegisterComponents();

    public Tensor Weight => _weight;

    public override ImageShape Input => new(1, 4, 4);

    public override int ClassCount => 3;

    public override Tensor Logits(Tensor images) => nn.functional.linear(images.flatten(1), _weight);
}
