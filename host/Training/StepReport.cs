namespace Zoo.Host.Training;

/// <summary>What a training step did.</summary>
/// <param name="Step">Its number, from 1.</param>
/// <param name="Loss">The mean loss over its batches.</param>
/// <param name="LearningRate">The rate it used.</param>
/// <param name="TokenCount">Tokens that it saw; a sample counts as one where there are no tokens.</param>
internal readonly record struct StepReport(long Step, double Loss, double LearningRate, long TokenCount);
