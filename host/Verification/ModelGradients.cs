using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Host.Verification;

/// <summary>Runs a model backward and keeps what came out.</summary>
internal static class ModelGradients
{
    /// <summary>Puts both sources of random numbers, the model's and torch's, where a new training pass starts.</summary>
    public static void Reseed(Model model)
    {
        manual_seed(ModelSubject.Seed);
        model.Randomness = new CounterRandom(ModelSubject.Seed);
    }

    /// <summary>Gradients of the loss on a batch; a parameter that was not reached is missing.</summary>
    public static NamedTensors OfLoss(Model model, Batch batch)
    {
        model.zero_grad();
        Gradients.Backward(model.TrainingLoss(batch));
        var gradients = new NamedTensors();
        foreach (var (name, parameter) in model.TrainableParameters())
        {
            if (parameter.grad is { } gradient)
                gradients.Add(name, gradient.clone());
        }
        return gradients;
    }

    /// <summary>The loss on a batch, without gradients.</summary>
    public static double Loss(Model model, Batch batch)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        return model.TrainingLoss(batch).to(ScalarType.Float64).item<double>();
    }
}
