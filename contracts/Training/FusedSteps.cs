using Zoo.Tasks;

namespace Zoo.Training;

/// <summary>Consecutive training steps for <see cref="IFusedTraining"/>.</summary>
public sealed record FusedSteps
{
    /// <summary>Examples of all the steps, in order: steps × batch size of them.</summary>
    public required Batch Examples { get; init; }

    /// <summary>Examples a step.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Complete settings.</summary>
    public required TrainingSettings Settings { get; init; }

    /// <summary>How many steps the optimiser has made before these.</summary>
    public required long OptimizerStep { get; init; }

    /// <summary>The learning rate of each step.</summary>
    public required double[] LearningRates { get; init; }

    /// <summary>Filled with the loss of each step, before its update.</summary>
    public required double[] Losses { get; init; }

    /// <summary>
    /// The optimiser's tensors, by parameter name and then as the optimiser names them: "H1w.exp_avg", "H1w.exp_avg_sq", "H1w.momentum_buffer".
    /// </summary>
    public required NamedTensors OptimizerState { get; init; }

    /// <summary>Threads it may use.</summary>
    public required int Threads { get; init; }
}
