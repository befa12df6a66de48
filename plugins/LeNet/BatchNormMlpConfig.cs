using System.Text.Json.Serialization;
using Zoo.Architectures;
using Zoo.Training;

namespace Zoo.LeNet;

/// <summary>The fully connected net with which Ioffe and Szegedy 2015 show batch normalisation on MNIST (section 4.1).</summary>
/// <remarks>The keys are ours: the paper has no code. It gives no learning rate; see <see cref="Training"/>.</remarks>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record BatchNormMlpConfig : ModelConfig
{
    /// <summary>
    /// Whether each hidden layer normalises before its nonlinearity; it then has no bias of its own, which normalising would take off
    /// again.
    /// </summary>
    [JsonPropertyName("batch_norm")] public bool BatchNorm { get; init; } = true;

    /// <summary>Widths of the hidden layers.</summary>
    [JsonPropertyName("hidden")] public IReadOnlyList<int> Hidden { get; init; } = [100, 100, 100];

    /// <summary>The nonlinearity of the hidden layers.</summary>
    [JsonPropertyName("activation")] public BatchNormMlpActivation Activation { get; init; } = BatchNormMlpActivation.Sigmoid;

    /// <summary>
    /// Standard deviation of the normal distribution that weights start from; "small random Gaussian values" in the paper.
    /// </summary>
    [JsonPropertyName("init_std")] public double InitStd { get; init; } = 0.1;

    /// <summary>What is added to the variance; ε in the paper.</summary>
    [JsonPropertyName("bn_eps")] public double Epsilon { get; init; } = Zoo.LeNet.BatchNorm.DefaultEpsilon;

    /// <summary>Share of each batch in the running statistics: 1 - decay.</summary>
    [JsonPropertyName("bn_momentum")] public double Momentum { get; init; } = BatchNormLayer.DefaultMomentum;

    /// <summary>Planes of the images.</summary>
    [JsonPropertyName("channels")] public int Channels { get; init; } = 1;

    /// <summary>Rows of the images.</summary>
    [JsonPropertyName("height")] public int Height { get; init; } = 28;

    /// <summary>Columns of the images.</summary>
    [JsonPropertyName("width")] public int Width { get; init; } = 28;

    /// <summary>How many classes there are.</summary>
    [JsonPropertyName("classes")] public int ClassCount { get; init; } = 10;

    /// <summary>The same net without normalisation.</summary>
    public static BatchNormMlpConfig Plain { get; } = new() { BatchNorm = false };

    /// <summary>Numbers that an image has.</summary>
    [JsonIgnore] public long InputDim => (long)Channels * Height * Width;

    /// <summary>
    /// 50,000 steps of 60 examples by plain gradient descent, as in the paper; the rate, which it does not give, is 0.5 with and without
    /// normalisation.
    /// </summary>
    [JsonIgnore]
    public override TrainingSettings Training => new()
    {
        Optimizer = OptimizerKind.Sgd,
        LearningRate = 0.5,
        Schedule = ScheduleKind.Constant,
        WarmupSteps = 0,
        Momentum = 0,
        WeightDecay = 0,
        GradientClip = 0,
        BatchSize = 60,
        Accumulate = 1,
        Steps = 50_000,
        Shuffle = true,
    };

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        foreach (var (key, value, least) in new[]
        {
            ("channels", Channels, 1), ("height", Height, 1), ("width", Width, 1), ("classes", ClassCount, 2),
        })
        {
            if (value < least || value > 1 << 16)
                yield return $"'{key}' is {value}; it must be from {least} to {1 << 16}.";
        }
        if (Hidden.Any(width => width is < 1 or > 1 << 16))
            yield return $"'hidden' is [{string.Join(", ", Hidden)}]; every width must be from 1 to {1 << 16}.";
        if (!(InitStd >= 0 && double.IsFinite(InitStd)))
            yield return $"'init_std' is {InitStd}; it must be at least 0.";
        if (!(Epsilon > 0 && double.IsFinite(Epsilon)))
            yield return $"'bn_eps' is {Epsilon}; it must be above 0.";
        if (Momentum is not (>= 0 and <= 1))
            yield return $"'bn_momentum' is {Momentum}; it must be from 0 to 1.";
    }
}
