using TorchSharp.Modules;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Architectures;

/// <summary>
/// A network that the harness trains, evaluates and verifies. Derive from one of its kinds: <see cref="TokenModel"/>,
/// <see cref="ImageClassifier"/>, <see cref="VectorSequenceModel"/>.
/// </summary>
/// <remarks>
/// Parameters and submodules are fields, `[ComponentName]` gives the original project's key, and the constructor ends in
/// RegisterComponents(). The constructor initialises; the harness never does it again.
/// </remarks>
/// <param name="name">The module's name, for messages.</param>
public abstract class Model(string name) : nn.Module(name)
{
    /// <summary>Which kind it is.</summary>
    public abstract ModelKind Kind { get; }

    /// <summary>
    /// Where a model draws random numbers in training (augmentation, dropout), so that every backend draws the same and a resumed run goes on
    /// with the next. The trainer seeds it and keeps its counter in checkpoints.
    /// </summary>
    public CounterRandom Randomness { get; set; } = new(0);

    /// <summary>Outputs and loss on a batch, in the module's present mode (training or evaluation).</summary>
    /// <exception cref="ArgumentException">The batch is not of this kind.</exception>
    public abstract ModelOutput Run(Batch batch);

    /// <summary>The mean loss alone: what training needs. A model that can do so without the outputs saves them here.</summary>
    /// <returns>A scalar, the same as <see cref="Run"/>'s but for rounding.</returns>
    /// <exception cref="ArgumentException">The batch is not of this kind.</exception>
    public virtual Tensor TrainingLoss(Batch batch)
    {
        using var scope = NewDisposeScope();
        return Run(batch).Loss.MoveToOuterDisposeScope();
    }

    /// <summary>Runs named inputs as the golden cases have them, for `zoo verify`.</summary>
    /// <param name="inputs">Inputs by name, without the "in." prefix.</param>
    /// <returns>Outputs by name, without the "out." prefix.</returns>
    public abstract NamedTensors RunCase(NamedTensors inputs);

    /// <summary>Parameters with their own learning rate or weight decay. One that no group names gets the run's settings.</summary>
    public virtual IReadOnlyList<ParameterGroup> ParameterGroups() => [];

    /// <summary>
    /// Whether a matrix, and the arithmetic on it, stays in float32 when the run uses bfloat16. Parameters that are no matrices (biases,
    /// norms, convolutions) always do.
    /// </summary>
    /// <param name="parameterName">Its key in the state dict.</param>
    public virtual bool IsFloat32Island(string parameterName) => false;

    /// <summary>Keys that the original project's checkpoints hold beside <paramref name="key"/> for one shared tensor.</summary>
    public virtual IReadOnlyList<string> TiedKeys(string key) => [];

    /// <summary>Trainable parameters by their state-dict key.</summary>
    public IEnumerable<(string Name, Parameter Parameter)> TrainableParameters() =>
        named_parameters().Where(p => p.parameter.requires_grad);
}
