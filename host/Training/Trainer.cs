using TorchSharp;
using Zoo.Architectures;
using Zoo.Host.Diagnostics;
using Zoo.Kernels;
using Zoo.Tasks;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Host.Training;

/// <summary>
/// Trains a model step by step: batches, loss, backward, clipping, update. What a step does depends on the model, the optimiser's
/// state, the seed and the step's number, and on nothing else.
/// </summary>
/// <remarks>
/// Gradients are complete, and averaged over the batches, between backward and clipping: there a sum over several processes would go.
/// </remarks>
internal sealed class Trainer : IDisposable
{
    private const double LargestRate = 1e30;
    private const int MaximumFusedSteps = 512;
    private const int MaximumFusedExamples = 4096;
    private readonly Model _model;
    private readonly TaskData _data;
    private readonly TrainingSettings _settings;
    private readonly TrainerOptions _options;
    private readonly IFusedTraining? _fused;
    private readonly int _accumulate;
    private readonly double _clip;
    private readonly ExampleOrder _order;
    private readonly LearningRateSchedule _schedule;
    private readonly long[] _indices;

    /// <param name="model">On the options' device; put into training mode. The caller disposes it.</param>
    /// <param name="data">Where the batches come from. The caller disposes it.</param>
    /// <param name="settings">With nothing left unsaid but the choice between steps and passes.</param>
    /// <param name="options">Seed, device, backends.</param>
    /// <exception cref="UserException">
    /// There is nothing to train on, the model's parameter groups are wrong, or a backend rejects the settings.
    /// </exception>
    public Trainer(Model model, TaskData data, TrainingSettings settings, TrainerOptions options)
    {
        (_model, _data, _settings, _options) = (model, data, settings, options);
        MemoryBound.Set(options.Device);
        foreach (var (key, value) in new[] { ("lr", settings.LearningRate!.Value), ("weight_decay", settings.WeightDecay!.Value) })
        {
            if (value > LargestRate)
                throw new UserException($"'{key}' is {value}; it must be at most {LargestRate}, beyond which float32 cannot follow.");
        }
        StepCount = StepsOf(settings, data.TrainingCount);
        if (data.TrainingCount == 0 && StepCount > 0)
            throw new UserException($"There are no training examples: {data.Description}.");
        _accumulate = settings.Accumulate!.Value;
        _clip = settings.GradientClip!.Value;
        _order = new ExampleOrder(data.TrainingCount, settings.Shuffle!.Value, options.Seed);
        _schedule = new LearningRateSchedule(settings, StepCount);
        _indices = new long[settings.BatchSize!.Value];
        _fused = ChooseFused(model, settings, options);
        Optimizer = Optimizer.Create(model, settings, options.Kernels);
        if (StepCount > 0 && !model.TrainableParameters().Any())
            throw new UserException($"{model.GetName()} has no trainable parameters.");
        model.Randomness = RandomStreams.OfModel(options.Seed);
        model.train();
    }

    /// <summary>The kernel that runs whole steps, or null where tensor operations do.</summary>
    public string? FusedStepName => _fused?.FusedStepName;

    /// <summary>Where the model is.</summary>
    public Device Device => _options.Device;

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
    public static long StepsOf(TrainingSettings settings, long? trainingCount)
    {
        var examplesAStep = (double)settings.BatchSize!.Value * settings.Accumulate!.Value;
        return settings.Steps ?? (long)Math.Ceiling(settings.Passes!.Value * trainingCount!.Value / examplesAStep);
    }

    /// <summary>Goes on after so many steps; the model's parameters and buffers are the caller's to load.</summary>
    /// <param name="stepsDone">Steps of the saved run.</param>
    /// <param name="optimizerState">The optimiser's tensors then.</param>
    /// <param name="randomCounter">How many numbers the model had drawn from its own sequence.</param>
    /// <exception cref="UserException">The state is of another optimiser or model.</exception>
    public void Restore(long stepsDone, NamedTensors optimizerState, ulong randomCounter)
    {
        Optimizer.Restore(optimizerState, updateCount: stepsDone);
        _model.Randomness.Counter = randomCounter;
        StepsDone = stepsDone;
    }

    /// <summary>Goes on: one step, or several at once where one kernel runs them.</summary>
    /// <param name="limit">At most so many, at least 1.</param>
    /// <param name="reports">Gets one report a step.</param>
    /// <exception cref="NonFiniteException">The loss or the gradients are not finite.</exception>
    /// <exception cref="EnvironmentException">Memory ran out; the message names the batch and what to lower.</exception>
    public void Advance(long limit, List<StepReport> reports)
    {
        try
        {
            if (_fused is null)
                reports.Add(Step());
            else
                FusedSteps((int)Math.Clamp(Math.Min(limit, MaximumFusedExamples / _indices.Length), 1, MaximumFusedSteps), reports);
        }
        catch (Exception e) when (MemoryShortage.Caused(e))
        {
            throw OutOfMemory(e);
        }
    }

    private EnvironmentException OutOfMemory(Exception e)
    {
        var length = _data.Shape.Length;
        var tokens = length is null ? "" : $" × {length:N0} {(_model.Kind == ModelKind.TokenModel ? "tokens" : "time steps")}";
        var lower = (_indices.Length > 1, length > 1) switch
        {
            (true, var sequences) => $"Lower --batch-size{(sequences ? " or --length" : "")}; --set train.accumulate=N takes N batches a step, so that the step stays as large.",
            (_, true) => "Lower --length, or take a smaller preset.",
            _ => "A smaller preset needs less.",
        };
        return MemoryShortage.Error($"at step {StepsDone + 1:N0} with batches of {_indices.Length:N0}{tokens} (--batch-size {_indices.Length})", lower, e);
    }

    /// <summary>Makes one step of tensor operations.</summary>
    /// <exception cref="NonFiniteException">The loss or the gradients are not finite; nothing was updated.</exception>
    private StepReport Step()
    {
        using var scope = NewDisposeScope();
        manual_seed(RandomStreams.StepSeed(_options.Seed, StepsDone));
        double loss = 0;
        long tokens = 0;
        for (var i = 0; i < _accumulate; i++)
        {
            _order.Fill(ExamplesDone + (long)i * _indices.Length, _indices);
            using var batch = Batch(_indices);
            var part = _model.TrainingLoss(batch);
            var value = part.ToDouble();
            if (!double.IsFinite(value))
                throw NonFiniteLoss(part, value);
            using Scalar batches = _accumulate;   // a temporary one could be finalised while libtorch reads it
            Gradients.Backward(_accumulate == 1 ? part : part / batches);
            loss += value / _accumulate;
            tokens += Tokens(batch);
        }
        var rate = _schedule.At(StepsDone);
        if (Optimizer.Step(rate, _clip) is { } norm && !double.IsFinite(norm))
            throw NonFiniteNorm(norm);
        Optimizer.ClearGradients();
        StepsDone++;
        return new StepReport(StepsDone, loss, rate, tokens);
    }

    private void FusedSteps(int count, List<StepReport> reports)
    {
        using var scope = NewDisposeScope();
        var indices = new long[count * _indices.Length];
        _order.Fill(ExamplesDone, indices);
        using var examples = Batch(indices);
        var rates = new double[count];
        for (var i = 0; i < count; i++)
            rates[i] = _schedule.At(StepsDone + i);
        var losses = new double[count];
        _fused!.RunFused(new FusedSteps
        {
            Examples = examples,
            BatchSize = _indices.Length,
            Settings = _settings,
            OptimizerStep = Optimizer.UpdateCount,
            LearningRates = rates,
            Losses = losses,
            OptimizerState = Optimizer.State,
            Threads = _options.Threads,
        });
        OpUsage.Record(_fused.FusedStepName, FusedBackend(_options.Device));
        var tokens = Tokens(examples) / count;
        for (var i = 0; i < count; i++)
        {
            if (!double.IsFinite(losses[i]))
            {
                var found = FirstNonFiniteOfModel();
                throw new NonFiniteException($"Step {StepsDone + 1:N0}: the loss is {Words(losses[i])}; " +
                    (found is null ? "the model's tensors are finite." : $"soon after, of the model's tensors, first {found}."));
            }
            StepsDone++;
            Optimizer.UpdateCount++;
            reports.Add(new StepReport(StepsDone, losses[i], rates[i], tokens));
        }
    }

    private static string FusedBackend(Device device) => device.type == DeviceType.CUDA ? KernelChoice.Cuda : "cpu";

    private static long Tokens(Batch batch) => batch is TokenBatch text ? text.Ids.numel() : batch.Count;

    /// <exception cref="UserException">A backend is demanded and rejects the settings.</exception>
    private static IFusedTraining? ChooseFused(Model model, TrainingSettings settings, TrainerOptions options)
    {
        if (model is not IFusedTraining fused)
            return null;
        var wanted = options.Kernels.For(fused.FusedStepName);
        var backend = FusedBackend(options.Device);
        if (wanted is null or "cpu" or KernelChoice.Cuda)
        {
            var reason = wanted is not null && wanted != backend ? $"the run is on {options.Device}"
                : options.Dtype != ScalarType.Float32 ? $"the run is in {options.Dtype}"
                : fused.RejectFused(settings, options.Device);
            if (reason is null)
                return fused;
            if (wanted is not null)
                throw new UserException($"--kernels {options.Kernels}: {fused.FusedStepName} cannot run on '{wanted}': {reason}");
        }
        OpUsage.Record(fused.FusedStepName, "reference");
        return null;
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

    private Batch Batch(long[] indices)
    {
        var batch = _data.TrainingBatch(indices);
        if (_options.Device.type == DeviceType.CPU)
            return batch;
        using (batch)
            return batch.To(_options.Device);
    }

    private NonFiniteException NonFiniteNorm(double norm)
    {
        var found = FirstNonFiniteGradient() ?? "every gradient is finite, only their norm overflows";
        Optimizer.ClearGradients();
        return new NonFiniteException($"Step {StepsDone + 1:N0}: the gradient norm is {Words(norm)}; first {found}.");
    }

    private NonFiniteException NonFiniteLoss(Tensor loss, double value)
    {
        var found = FirstNonFiniteOfModel();
        if (found is null)
        {
            Gradients.Backward(loss);
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
