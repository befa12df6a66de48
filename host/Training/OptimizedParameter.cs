using TorchSharp.Modules;

namespace Zoo.Host.Training;

/// <summary>A parameter and how the optimiser treats it.</summary>
/// <param name="Name">Its state-dict key.</param>
/// <param name="Parameter">The parameter; the model owns it.</param>
/// <param name="LearningRateFactor">Factor on the run's rate.</param>
/// <param name="WeightDecay">Its weight decay.</param>
internal sealed record OptimizedParameter(string Name, Parameter Parameter, double LearningRateFactor, double WeightDecay);
