using TorchSharp;
using TorchSharp.Modules;
using Zoo.Architectures;
using Zoo.Tasks;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Host.Training;

/// <summary>
/// Trains a model step by step: batches, loss, backward, clipping, update. What a step does depends on the parameters, the optimiser's
/// state, the seed and the step's number, and on nothing else.
/// </summary>
internal sealed class Trainer : IDisposable
{
    private readonly Model _model;
    private readonly TaskData _data;
    private readonly Device _device;
    private readonly int _seed;
    private readonly int _accumulate;
    private readonly double _clip;
    private readonly ExampleOrder _order;
    private readonly LearningRateSchedule _schedule;
    private readonly Parameter[] _parameters;
    private readonly long[] _indices;

    /// <param name="model">On <paramref name="device"/>; put into training mode. The caller disposes it.</param>
    /// <param name="data">Where the batches come from. The caller disposes it.</param>
    /// <param name="settings">With nothing left unsaid but the choice between steps and passes.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="device">Where the batches go.</param>
    /// <exception cref="UserException">There is nothing to train on, or the model's parameter groups are wrong.</exception>
    public Trainer(Model model, TaskData data, TrainingSettings settings, int seed, Device device)
    {
        (_model, _data, _seed, _device) = (model, data, seed, device);
        StepCount = StepsOf(settings, data.TrainingCount);
        if (data.TrainingCount == 0 && StepCount > 0)
            throw new UserException($"There are no training examples: {data.Description}.");
        _accumulate = settings.Accumulate!.Value;
        _clip = settings.GradientClip!.Value;
        _order = new ExampleOrder(data.TrainingCount, settings.Shuffle!.Value, seed);
        _schedule = new LearningRateSchedule(settings, StepCount);
        _indices = new long[settings.BatchSize!.Value];
        Optimizer = Optimizer.Create(model, settings);
        _parameters = [.. model.TrainableParameters().Select(p => p.Parameter)];
        if (_parameters.Length == 0 && StepCount > 0)
            throw new UserException($"{model.GetName()} has no trainable parameters.");
        model.train();
    }

    /// <summary>Steps of the whole run.</summary>
    public long StepCount { get; }

    /// <summary>Steps done so far.</summary>
    public long StepsDone { get; private set; }

    /// <summary>Training examples seen so far: the position in the data.</summary>
    public long ExamplesDone => StepsDone * _accumulate * _indices.Length;

    /// <summary>The optimiser, for its state.</summary>
    public Optimizer Optimizer { get; }

    /// <summary>How many steps the settings ask for.</summary>
    /// <param name="settings">Complete settings.</param>
    /// <param name="trainingCount">Examples a pass.</param>
    public static long StepsOf(TrainingSettings settings, long? trainingCount) => settings.Steps
        ?? (long)Math.Ceiling(settings.Passes!.Value * trainingCount!.Value / ((double)settings.BatchSize!.Value * settings.Accumulate!.Value));

    /// <summary>Goes on after so many steps; the model's parameters and buffers are the caller's to load.</summary>
    /// <param name="stepsDone">Steps of the saved run.</param>
    /// <param name="optimizerState">The optimiser's tensors then.</param>
    /// <exception cref="UserException">The state is of another optimiser or model.</exception>
    public void Restore(long stepsDone, NamedTensors optimizerState)
    {
        Optimizer.Restore(optimizerState, updateCount: stepsDone);
        StepsDone = stepsDone;
    }

    /// <summary>Makes one step.</summary>
    /// <exception cref="NonFiniteException">The loss or the gradients are not finite; nothing was updated.</exception>
    public StepReport Step()
    {
        using var scope = NewDisposeScope();
        manual_seed(RandomStreams.StepSeed(_seed, StepsDone));
        double loss = 0;
        long tokens = 0;
        for (var i = 0; i < _accumulate; i++)
        {
            _order.Fill(ExamplesDone + (long)i * _indices.Length, _indices);
            using var batch = NextBatch();
            var part = _model.Run(batch).Loss;
            var value = part.ToDouble();
            if (!double.IsFinite(value))
                throw NonFiniteLoss(part, value);
            (_accumulate == 1 ? part : part / _accumulate).backward();
            loss += value / _accumulate;
            tokens += batch is TokenBatch text ? text.Ids.numel() : batch.Count;
        }
        if (_clip > 0)
            Clip();
        var rate = _schedule.At(StepsDone);
        Optimizer.Step(rate);
        Optimizer.ClearGradients();
        StepsDone++;
        return new StepReport(StepsDone, loss, rate, tokens);
    }

    /// <summary>Requires that every parameter and buffer is finite, as a checkpoint's must be.</summary>
    /// <exception cref="NonFiniteException">One is not.</exception>
    public void RequireFiniteModel()
    {
        if (FirstNonFiniteOfModel() is { } found)
            throw new NonFiniteException($"After step {StepsDone:N0} the model is not finite: first {found}.");
    }

    /// <summary>Frees the optimiser's state.</summary>
    public void Dispose() => Optimizer.Dispose();

    private Batch NextBatch()
    {
        var batch = _data.TrainingBatch(_indices);
        if (_device.type == DeviceType.CPU)
            return batch;
        using (batch)
            return batch.To(_device);
    }

    private void Clip()
    {
        // The norm over all gradients; the function scales them down where it is larger.
        var norm = nn.utils.clip_grad_norm_(_parameters, _clip);
        if (!double.IsFinite(norm))
        {
            var found = FirstNonFiniteGradient() ?? "every gradient is finite, only their norm overflows";
            Optimizer.ClearGradients();
            throw new NonFiniteException($"Step {StepsDone + 1:N0}: the gradient norm is {Words(norm)}; first {found}.");
        }
    }

    private NonFiniteException NonFiniteLoss(Tensor loss, double value)
    {
        var found = FirstNonFiniteOfModel();
        if (found is null)
        {
            loss.backward();
            found = FirstNonFiniteGradient();
        }
        Optimizer.ClearGradients();
        return new NonFiniteException($"Step {StepsDone + 1:N0}: the loss is {Words(value)}; " +
            (found is null ? "parameters and gradients are finite." : $"of the model's tensors, first {found}."));
    }

    private string? FirstNonFiniteOfModel() =>
        FirstNonFinite("parameter", _model.named_parameters().Select(p => (p.name, (Tensor?)p.parameter)))
        ?? FirstNonFinite("buffer", _model.named_buffers().Select(b => (b.name, (Tensor?)b.buffer)));

    private string? FirstNonFiniteGradient() =>
        FirstNonFinite("gradient of", _model.TrainableParameters().Select(p => (p.Name, p.Parameter.grad)));

    private static string? FirstNonFinite(string what, IEnumerable<(string Name, Tensor? Tensor)> tensors)
    {
        using var scope = NewDisposeScope();
        foreach (var (name, tensor) in tensors)
        {
            if (tensor is null || !tensor.is_floating_point())
                continue;
            var bad = tensor.numel() - tensor.isfinite().sum().item<long>();
            if (bad > 0)
                return $"{what} '{name}' ({bad:N0} of {tensor.numel():N0} values)";
        }
        return null;
    }

    private static string Words(double value) =>
        double.IsNaN(value) ? "not a number (NaN)" : value > 0 ? "infinite" : "minus infinity";
}
