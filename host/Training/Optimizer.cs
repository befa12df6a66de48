using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Host.Training;

/// <summary>Updates parameters from their gradients. Its state is tensors by name, so that a resumed run goes on bit for bit.</summary>
/// <param name="parameters">What it updates.</param>
internal abstract class Optimizer(IReadOnlyList<OptimizedParameter> parameters) : IDisposable
{
    private readonly NamedTensors _state = [];

    /// <summary>What it updates.</summary>
    protected IReadOnlyList<OptimizedParameter> Parameters { get; } = parameters;

    /// <summary>How many updates it has made.</summary>
    public long UpdateCount { get; set; }

    /// <summary>The state by parameter and name: "fc1.weight.exp_avg". The tensors stay the optimiser's.</summary>
    public NamedTensors State => _state;

    /// <summary>The optimiser that the settings name, over the model's trainable parameters.</summary>
    /// <param name="model">Its parameters and groups.</param>
    /// <param name="settings">Complete settings.</param>
    /// <param name="kernels">Which backend the update runs on.</param>
    /// <exception cref="UserException">The model's groups name a parameter that it has not, or one twice.</exception>
    public static Optimizer Create(Model model, TrainingSettings settings, KernelChoice kernels)
    {
        var parameters = Group(model, settings.WeightDecay!.Value);
        return settings.Optimizer!.Value switch
        {
            OptimizerKind.Sgd => new SgdOptimizer(parameters, settings.Momentum!.Value) { Kernels = kernels },
            OptimizerKind.AdamW => new AdamWOptimizer(parameters, settings.Beta1!.Value, settings.Beta2!.Value, settings.Epsilon!.Value)
            {
                Kernels = kernels,
            },
            var other => throw new ArgumentOutOfRangeException(nameof(settings), other, "no such optimiser"),
        };
    }

    /// <summary>Which backend the update runs on.</summary>
    public KernelChoice Kernels { get; init; } = KernelChoice.Auto;

    /// <summary>Makes one update. Parameters without a gradient stay as they are.</summary>
    /// <param name="learningRate">The run's rate at this step.</param>
    /// <param name="largestNorm">From this norm of all gradients together on, they are scaled down to it; 0 leaves them as they are.</param>
    /// <returns>The norm where it was asked for, else null. Where it is not finite, nothing was updated.</returns>
    public double? Step(double learningRate, double largestNorm = 0)
    {
        using var scope = NewDisposeScope();
        var tensors = new List<UpdatedTensor>(Parameters.Count);
        for (var i = 0; i < Parameters.Count; i++)
        {
            var parameter = Parameters[i];
            if (parameter.Parameter.grad is { } gradient)
            {
                tensors.Add(new UpdatedTensor(parameter.Name, parameter.Parameter, gradient, learningRate * parameter.LearningRateFactor, parameter.WeightDecay)
                {
                    State = StateOf(i),
                });
            }
        }
        var norm = Update(tensors, UpdateCount + 1, largestNorm).GradientNorm;
        if (norm is null || double.IsFinite(norm.Value))
            UpdateCount++;
        return norm;
    }

    /// <summary>Forgets the gradients, so that the next backward pass sets instead of adds.</summary>
    public void ClearGradients()
    {
        foreach (var parameter in Parameters)
            parameter.Parameter.grad = null;
    }

    /// <summary>Takes over a saved state: the values are copied.</summary>
    /// <exception cref="UserException">It is not of this optimiser and model; the message names the first difference.</exception>
    public void Restore(NamedTensors saved, long updateCount)
    {
        foreach (var (name, tensor) in _state)
        {
            var found = saved.Find(name)
                ?? throw new UserException($"The saved optimiser state has no '{name}': it belongs to another optimiser or model.");
            if (!found.shape.AsSpan().SequenceEqual(tensor.shape) || found.dtype != tensor.dtype)
            {
                throw new UserException($"The saved optimiser state has '{name}' as {found.dtype} {Shape.Describe(found.shape)}; " +
                    $"this run needs {tensor.dtype} {Shape.Describe(tensor.shape)}.");
            }
        }
        if (saved.Keys.FirstOrDefault(name => !_state.ContainsKey(name)) is { } extra)
            throw new UserException($"The saved optimiser state has '{extra}', and this one has not: it belongs to another optimiser or model.");
        using var noGradients = no_grad();
        foreach (var (name, tensor) in _state)
            tensor.copy_(saved[name]);
        UpdateCount = updateCount;
    }

    /// <summary>Frees the state; the parameters are the model's.</summary>
    public void Dispose()
    {
        foreach (var tensor in _state.Values)
            tensor.Dispose();
    }

    /// <summary>The state of one parameter, in the update's order.</summary>
    protected abstract IReadOnlyList<Tensor> StateOf(int index);

    /// <summary>Updates parameters and state in place, all in one call.</summary>
    /// <param name="tensors">Those that have a gradient.</param>
    /// <param name="number">Which update it is, from 1.</param>
    /// <param name="largestNorm">As for <see cref="Step"/>.</param>
    protected abstract UpdateResult Update(IReadOnlyList<UpdatedTensor> tensors, long number, double largestNorm);

    /// <summary>One tensor of state a parameter, zero, which outlives every scope.</summary>
    /// <param name="name">Its name in the original algorithm's state: "exp_avg".</param>
    protected Tensor[] NewBuffers(string name)
    {
        using var noGradients = no_grad();
        var buffers = new Tensor[Parameters.Count];
        for (var i = 0; i < buffers.Length; i++)
        {
            buffers[i] = zeros_like(Parameters[i].Parameter, requires_grad: false).DetachFromDisposeScope();
            _state.Add($"{Parameters[i].Name}.{name}", buffers[i]);
        }
        return buffers;
    }

    private static List<OptimizedParameter> Group(Model model, double weightDecay)
    {
        var groups = new Dictionary<string, ParameterGroup>(StringComparer.Ordinal);
        foreach (var group in model.ParameterGroups())
        {
            foreach (var name in group.Names)
            {
                if (groups.TryAdd(name, group))
                    continue;
                throw new UserException($"The parameter groups of {model.GetName()} name '{name}' twice. This is a fault of its plugin.");
            }
        }
        var parameters = new List<OptimizedParameter>();
        foreach (var (name, parameter) in model.TrainableParameters())
        {
            groups.Remove(name, out var group);
            parameters.Add(new(name, parameter, group?.LearningRateFactor ?? 1, group?.WeightDecay ?? weightDecay));
        }
        var known = model.named_parameters().Select(p => p.name).ToHashSet(StringComparer.Ordinal);
        if (groups.Keys.FirstOrDefault(name => !known.Contains(name)) is { } unknown)
        {
            throw new UserException($"The parameter groups of {model.GetName()} name '{unknown}', which is no parameter of it." +
                $"{Names.DidYouMean(unknown, known)} This is a fault of its plugin.");
        }
        return parameters;
    }
}
