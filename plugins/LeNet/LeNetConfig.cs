using System.Text.Json.Serialization;
using Zoo.Architectures;
using Zoo.Training;

namespace Zoo.LeNet;

/// <summary>The switches between the net of 1989 and its modern form. The sizes are the paper's and fixed.</summary>
/// <remarks>The keys are ours: the reproduction has one program for each end of the ladder, and no config.</remarks>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record LeNetConfig : ModelConfig
{
    private const int NormalisedBatch = 32;

    /// <summary>The loss, and with it the form of the output layer.</summary>
    [JsonPropertyName("loss")] public LeNetLoss Loss { get; init; } = LeNetLoss.Mse;

    /// <summary>The optimiser that this config is trained with, at the ladder's rates.</summary>
    [JsonPropertyName("optimizer")] public OptimizerKind Optimizer { get; init; } = OptimizerKind.Sgd;

    /// <summary>Whether training images are moved by up to one pixel on each axis.</summary>
    [JsonPropertyName("shift")] public bool Shift { get; init; }

    /// <summary>The share of H2's units that is dropped in training, before H3.</summary>
    [JsonPropertyName("dropout")] public double Dropout { get; init; }

    /// <summary>The nonlinearity of H1, H2 and H3.</summary>
    [JsonPropertyName("activation")] public LeNetActivation Activation { get; init; } = LeNetActivation.Tanh;

    /// <summary>
    /// Whether two quirks of the reproduction are kept: what a moved image loses on one side comes in on the other, and H1's planes have
    /// a border of -1 whatever the activation. Otherwise empty paper comes in, and the border is 0 after ReLU.
    /// </summary>
    [JsonPropertyName("faithful")] public bool Faithful { get; init; } = true;

    /// <summary>
    /// Whether the sums of H1 and H2, plane by plane, and those of H3, unit by unit, are normalised over the batch before their
    /// nonlinearity (Ioffe and Szegedy 2015). H3 then keeps its bias at 0: normalising would take it off again.
    /// </summary>
    [JsonPropertyName("batch_norm")] public bool BatchNorm { get; init; }

    /// <summary>The ladder's first step: softmax cross-entropy without the last tanh, and a third of the rate.</summary>
    public static LeNetConfig Softmax { get; } = new() { Loss = LeNetLoss.CrossEntropy };

    /// <summary>The second step: AdamW.</summary>
    public static LeNetConfig AdamW { get; } = Softmax with { Optimizer = OptimizerKind.AdamW };

    /// <summary>The third step: images moved by up to one pixel.</summary>
    public static LeNetConfig Shifted { get; } = AdamW with { Shift = true };

    /// <summary>The last step, every switch on: dropout and ReLU.</summary>
    public static LeNetConfig Modern { get; } = Shifted with { Dropout = 0.25, Activation = LeNetActivation.Relu };

    /// <summary>
    /// One example at a time in a fixed order, but 32 in a new order each pass with batch normalisation, at as many times the rate (AdamW:
    /// ten times). Rates follow optimiser and loss; the more is changed, the more passes.
    /// </summary>
    public override TrainingSettings Training
    {
        get
        {
            var common = new TrainingSettings
            {
                BatchSize = BatchNorm ? NormalisedBatch : 1,
                Accumulate = 1,
                Shuffle = BatchNorm,
                GradientClip = 0,
                WarmupSteps = 0,
            };
            return Optimizer switch
            {
                OptimizerKind.Sgd => common with
                {
                    Optimizer = OptimizerKind.Sgd,
                    LearningRate = (Loss == LeNetLoss.Mse ? 0.03 : 0.01) * (BatchNorm ? NormalisedBatch : 1),
                    Schedule = ScheduleKind.Constant,
                    Momentum = 0,
                    WeightDecay = 0,
                    Passes = Passes(23),
                },
                _ => common with
                {
                    Optimizer = OptimizerKind.AdamW,
                    LearningRate = BatchNorm ? 3e-3 : 3e-4,
                    Schedule = ScheduleKind.Linear,
                    FinalLearningRateFactor = 1.0 / 3,
                    Beta1 = 0.9,
                    Beta2 = 0.999,
                    Epsilon = 1e-8,
                    WeightDecay = 0.01,
                    Passes = Passes(46),
                },
            };
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        if (Dropout is not (>= 0 and < 1))
            yield return $"'dropout' is {Dropout}; it must be at least 0 and below 1.";
    }

    private double Passes(double unchanged) => Dropout > 0 ? 80 : Shift ? 60 : unchanged;
}
