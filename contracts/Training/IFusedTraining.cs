using static TorchSharp.torch;

namespace Zoo.Training;

/// <summary>
/// A model that can run whole training steps (forward, backward, update) in one kernel, for nets so small that separate operations are all overhead.
/// The harness uses it when it can, says so, and keeps everything else as it is: data, schedule, checkpoints.
/// </summary>
public interface IFusedTraining
{
    /// <summary>The op's name under which `--kernels` chooses it and `"backends"` reports it.</summary>
    string FusedStepName { get; }

    /// <summary>Why these settings cannot be trained so, in words for the user; null when they can.</summary>
    /// <param name="settings">Complete settings.</param>
    /// <param name="device">Where the model and its examples are.</param>
    string? RejectFused(TrainingSettings settings, Device device);

    /// <summary>
    /// Consecutive steps. Equal to the tensor path to float tolerance, the model's random draws
    /// (<see cref="Architectures.Model.Randomness"/>) included; parameters and optimiser state are updated in place.
    /// </summary>
    /// <param name="steps">What to run.</param>
    void RunFused(FusedSteps steps);
}
