using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.Training;

/// <summary>A small net with everything a resume must carry: dropout's and its own random numbers, a buffer, parameter groups.</summary>
internal sealed class TinyClassifier : ImageClassifier
{
    [ComponentName(Name = "fc1")] private readonly Linear _fc1 = nn.Linear(16, 12);
    [ComponentName(Name = "bn")] private readonly BatchNorm1d _bn = nn.BatchNorm1d(12);
    [ComponentName(Name = "dropout")] private readonly Dropout _dropout = nn.Dropout(0.25);
    [ComponentName(Name = "fc2")] private readonly Linear _fc2 = nn.Linear(12, 3);

    public TinyClassifier() : base(nameof(TinyClassifier)) => RegisterComponents();

    public override ImageShape Input => new(1, 4, 4);

    public override int ClassCount => 3;

    public override Tensor Logits(Tensor images)
    {
        using var scope = NewDisposeScope();
        if (training)
            images = images * (0.9f + 0.2f * Randomness.NextSingle());
        return _fc2.forward(_dropout.forward(_bn.forward(_fc1.forward(images.flatten(1))).relu())).MoveToOuterDisposeScope();
    }

    public override IReadOnlyList<ParameterGroup> ParameterGroups() =>
        [new(["bn.weight", "bn.bias"]) { WeightDecay = 0, LearningRateFactor = 0.5 }];
}
