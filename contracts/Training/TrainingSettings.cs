using System.Text.Json.Serialization;
using Zoo.Configuration;

namespace Zoo.Training;

/// <summary>
/// How to train. A null value is unsaid: the command line is asked first, then the model's config, then the task, then the host.
/// </summary>
public sealed record TrainingSettings : Settings
{
    /// <summary>The optimiser.</summary>
    [JsonPropertyName("optimizer")] public OptimizerKind? Optimizer { get; init; }

    /// <summary>Peak learning rate.</summary>
    [JsonPropertyName("lr")] public double? LearningRate { get; init; }

    /// <summary>The schedule.</summary>
    [JsonPropertyName("schedule")] public ScheduleKind? Schedule { get; init; }

    /// <summary>The rate at the end of a linear or cosine schedule, as a fraction of the peak; before the steps' factors.</summary>
    [JsonPropertyName("final_lr_factor")] public double? FinalLearningRateFactor { get; init; }

    /// <summary>Steps of linear warm-up.</summary>
    [JsonPropertyName("warmup_steps")] public long? WarmupSteps { get; init; }

    /// <summary>The rate at the first step of warm-up, as a fraction of the peak.</summary>
    [JsonPropertyName("warmup_start_factor")] public double? WarmupStartFactor { get; init; }

    /// <summary>Factor at each milestone of a step schedule, with a cosine or without.</summary>
    [JsonPropertyName("step_factor")] public double? StepFactor { get; init; }

    /// <summary>Milestones of such a schedule, fractions of the run between 0 and 1.</summary>
    [JsonPropertyName("step_at")] public IReadOnlyList<double>? StepAt { get; init; }

    /// <summary>Decoupled weight decay (AdamW) or L2 penalty (SGD).</summary>
    [JsonPropertyName("weight_decay")] public double? WeightDecay { get; init; }

    /// <summary>Momentum of SGD.</summary>
    [JsonPropertyName("momentum")] public double? Momentum { get; init; }

    /// <summary>Decay of AdamW's first moment.</summary>
    [JsonPropertyName("beta1")] public double? Beta1 { get; init; }

    /// <summary>Decay of AdamW's second moment.</summary>
    [JsonPropertyName("beta2")] public double? Beta2 { get; init; }

    /// <summary>AdamW's epsilon.</summary>
    [JsonPropertyName("eps")] public double? Epsilon { get; init; }

    /// <summary>Largest gradient norm; 0 leaves gradients as they are.</summary>
    [JsonPropertyName("clip")] public double? GradientClip { get; init; }

    /// <summary>Examples a batch.</summary>
    [JsonPropertyName("batch_size")] public int? BatchSize { get; init; }

    /// <summary>Batches whose gradients are averaged before a step.</summary>
    [JsonPropertyName("accumulate")] public int? Accumulate { get; init; }

    /// <summary>Steps of the run; counts before <see cref="Passes"/>.</summary>
    [JsonPropertyName("steps")] public long? Steps { get; init; }

    /// <summary>Passes over a task's training examples, where it has a fixed number of them.</summary>
    [JsonPropertyName("passes")] public double? Passes { get; init; }

    /// <summary>Whether each pass goes through the examples in an order of its own.</summary>
    [JsonPropertyName("shuffle")] public bool? Shuffle { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        foreach (var (key, value, least) in new (string, double?, double)[]
        {
            ("lr", LearningRate, 0), ("final_lr_factor", FinalLearningRateFactor, 0), ("warmup_steps", WarmupSteps, 0),
            ("warmup_start_factor", WarmupStartFactor, 0), ("step_factor", StepFactor, 0), ("weight_decay", WeightDecay, 0),
            ("momentum", Momentum, 0), ("beta1", Beta1, 0), ("beta2", Beta2, 0), ("eps", Epsilon, 0), ("clip", GradientClip, 0),
            ("batch_size", BatchSize, 1), ("accumulate", Accumulate, 1), ("steps", Steps, 0), ("passes", Passes, 0),
        })
        {
            if (value is { } number && !(number >= least && double.IsFinite(number)))
                yield return $"'{key}' is {number}; it must be {(double.IsPositiveInfinity(number) ? "finite" : $"at least {least}")}.";
        }
        foreach (var (key, value) in new[] { ("beta1", Beta1), ("beta2", Beta2), ("momentum", Momentum) })
        {
            if (value >= 1)
                yield return $"'{key}' is {value}; it must be below 1.";
        }
        if (StepAt is not null && StepAt.Any(f => f is not (> 0 and < 1)))
            yield return $"'step_at' is [{string.Join(", ", StepAt)}]; its fractions must lie between 0 and 1.";
    }

    /// <summary>These settings, and <paramref name="basis"/> where they say nothing.</summary>
    public TrainingSettings Over(TrainingSettings basis) => new()
    {
        Optimizer = Optimizer ?? basis.Optimizer,
        LearningRate = LearningRate ?? basis.LearningRate,
        Schedule = Schedule ?? basis.Schedule,
        FinalLearningRateFactor = FinalLearningRateFactor ?? basis.FinalLearningRateFactor,
        WarmupSteps = WarmupSteps ?? basis.WarmupSteps,
        WarmupStartFactor = WarmupStartFactor ?? basis.WarmupStartFactor,
        StepFactor = StepFactor ?? basis.StepFactor,
        StepAt = StepAt ?? basis.StepAt,
        WeightDecay = WeightDecay ?? basis.WeightDecay,
        Momentum = Momentum ?? basis.Momentum,
        Beta1 = Beta1 ?? basis.Beta1,
        Beta2 = Beta2 ?? basis.Beta2,
        Epsilon = Epsilon ?? basis.Epsilon,
        GradientClip = GradientClip ?? basis.GradientClip,
        BatchSize = BatchSize ?? basis.BatchSize,
        Accumulate = Accumulate ?? basis.Accumulate,
        Steps = Steps ?? (Passes is null ? basis.Steps : null),
        Passes = Passes ?? (Steps is null ? basis.Passes : null),
        Shuffle = Shuffle ?? basis.Shuffle,
    };
}
