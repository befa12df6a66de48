using System.Diagnostics;
using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Host.Cli;
using Zoo.Host.Configuration;
using Zoo.Host.Diagnostics;
using Zoo.Host.Training;
using Zoo.Host.Verification;
using Zoo.Kernels;
using Zoo.Tasks;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Host.Benchmarks;

/// <summary>Times a whole model: training steps, prefill, or decoding token by token.</summary>
internal static class ModelBench
{
    private const int PromptLength = 16;

    /// <summary>The modes there are.</summary>
    public static IReadOnlyList<string> Modes { get; } = ["train", "prefill", "decode"];

    /// <summary>The longest sequence that the model sees.</summary>
    public static int SequenceLength(string mode, int length) => mode == "decode" ? PromptLength + length : length;

    /// <summary>A preset with the user's values, and with the length that the benchmark implies where the preset alone could not take it.</summary>
    /// <exception cref="UserException">Keys are unknown or values wrong.</exception>
    public static ModelConfig BindConfig(Catalog catalog, InstalledArchitecture installed, string preset, JsonObject userValues, int length)
    {
        var (architecture, info) = (installed.Architecture, installed.Info);
        var config = RunPlanner.BindModel(architecture, preset, null, userValues);
        if (info.Kind == ModelKind.ImageClassifier || !(ModelOutline.Of(architecture, config, catalog.Ops).MaximumLength < length))
            return config;
        var implied = new TaskShape(info.Kind) { Length = length, MaximumLength = length };
        return RunPlanner.BindModel(architecture, preset, implied, userValues);
    }

    /// <summary>
    /// Times the model. Where no backend was named and the model can run whole training steps in one kernel, the tensor path runs beside it,
    /// turn by turn in the same process, and comes second.
    /// </summary>
    /// <exception cref="UserException">The model has no such mode, or a backend rejects it.</exception>
    public static IReadOnlyList<ModelBenchResult> Run(Catalog catalog, ModelBenchRequest request, BenchOptions options)
    {
        MemoryUse.ResetPeak();
        var before = MemoryUse.Resident;
        GC.Collect();                                   // what starting left behind makes room for the model's objects
        var choices = new List<KernelChoice> { options.Kernels ?? KernelChoice.Auto };
        var subjects = new List<Subject>();
        try
        {
            for (var i = 0; i < choices.Count; i++)
            {
                var subject = new Subject(catalog, request, options, choices[i]);
                subjects.Add(subject);
                if (options.Kernels is null && i == 0 && request.Mode == "train" && subject.FusedStepName is not null)
                    choices.Add(KernelChoice.Parse(KernelChoice.Reference));
            }
            GC.Collect();
            for (var run = -options.Warmup; run < (options.Runs ?? BenchOptions.UsualRuns); run++)
            {
                foreach (var subject in subjects)
                    subject.Call(timed: run >= 0);
            }
            return [.. subjects.Select(s => s.Result(before))];
        }
        finally
        {
            foreach (var subject in subjects)
                subject.Dispose();
        }
    }

    /// <summary>A model on one choice of backends.</summary>
    private sealed class Subject : IDisposable
    {
        /// <summary>Steps of a call, at the most: enough to warm up on, and to be long beside the clock.</summary>
        private const int StepsACall = 512;

        /// <summary>A call makes no further step after so many seconds, so that large models take one step a call.</summary>
        private const double SecondsACall = 0.1;

        private readonly ModelBenchRequest _request;
        private readonly BenchOptions _options;
        private readonly Catalog _catalog;
        private readonly Model _model;
        private readonly SyntheticData _data;
        private readonly Trainer? _trainer;
        private readonly Timing _timing = new();
        private readonly List<double> _lateOverEarly = [];
        private readonly List<StepReport> _reports = [];
        private IReadOnlyDictionary<string, string> _backends = new Dictionary<string, string>();

        public Subject(Catalog catalog, ModelBenchRequest request, BenchOptions options, KernelChoice kernels)
        {
            (_request, _options, _catalog) = (request, options, catalog);
            _model = ModelFactory.Build(catalog, request.Installed, request.Config, seed: 1, options.Device, kernels, request.Dtype, request.Packed);
            RequireLength();
            _data = new SyntheticData(_model, request.Length);
            if (request.Mode == "train")
            {
                _trainer = new Trainer(_model, _data, Settings(), new TrainerOptions
                {
                    Device = options.Device,
                    Dtype = request.Dtype,
                    Kernels = kernels,
                    Threads = options.Threads,
                });
                return;
            }
            if (_model is not TokenModel)
                throw new UserException($"--mode {request.Mode}: {request.Installed.Info.Name} is no model over tokens; it has --mode train.");
            if (request.Mode == "decode" && !request.Installed.Info.Abilities.HasFlag(ModelAbilities.Step))
                throw new UserException($"--mode decode: {request.Installed.Info.Name} has no step form.");
            _model.eval();
            if (request.Dtype == ScalarType.BFloat16 && !request.Packed)
                WeightStorage.RoundToBFloat16(_model);
            MemoryBound.Set(options.Device);
        }

        public string? FusedStepName => _trainer?.FusedStepName;

        public void Call(bool timed)
        {
            _options.Cancellation.ThrowIfCancellationRequested();
            OpUsage.Reset();
            var timing = timed ? _timing : new Timing();
            switch (_request.Mode)
            {
                case "train":
                    timing.Measure(Train);
                    break;
                case "prefill":
                    timing.Measure(Prefill);
                    break;
                default:
                    var ratio = Decode(timing);
                    if (timed)
                        _lateOverEarly.Add(ratio);
                    break;
            }
            _backends = OpUsage.Backends;
        }

        public ModelBenchResult Result(long memoryBefore) => new()
        {
            Model = _request.Installed.Info.Name,
            Mode = _request.Mode,
            Backends = _backends,
            Params = _request.Packed ? ModelOutline.Of(_request.Installed.Architecture, _request.Config, _catalog.Ops).ParameterCount : ModelFactory.ParameterCount(_model),
            Packed = _request.Packed ? ((IPackedWeights)_model).PackedFormat : null,
            WeightBytes = _model.state_dict().Values.DistinctBy(t => t.Handle).Sum(t => t.numel() * t.ElementSize),
            Threads = _options.Threads,
            Dtype = DtypeName.Of(_request.Dtype),
            Batch = _request.Batch,
            Time = _model.Kind == ModelKind.ImageClassifier ? null : _request.Length,
            TokensPerSecond = 1 / _timing.WallMedian,
            CpuTokensPerSecond = 1 / _timing.CpuLeast,
            CpuSecondsPerToken = _timing.CpuMedian,
            LateOverEarly = _lateOverEarly.Count > 0 ? Timing.Median(_lateOverEarly) : null,
            PeakMemoryBytes = MemoryUse.Peak,
            MemoryBeforeBytes = memoryBefore,
            Runs = _timing.Runs,
        };

        public void Dispose()
        {
            _trainer?.Dispose();
            _data.Dispose();
            _model.Dispose();
        }

        /// <summary>Tokens of a prefill or of a decoding.</summary>
        private long Tokens => (long)_request.Batch * _request.Length;

        /// <summary>The config's settings; gradients are clipped, at norm 1 where it says nothing, as a step of language modelling does.</summary>
        private TrainingSettings Settings()
        {
            var settings = _request.Training with { Steps = long.MaxValue / 2, BatchSize = _request.Batch };
            return _model is TokenModel && settings.GradientClip == 0 ? settings with { GradientClip = 1 } : settings;
        }

        private void RequireLength()
        {
            var length = SequenceLength(_request.Mode, _request.Length);
            if (_model is not TokenModel { MaximumLength: { } longest } || length <= longest)
                return;
            _model.Dispose();
            var prompt = _request.Mode == "decode" ? $" after a prompt of {PromptLength}" : "";
            throw new UserException($"--length {_request.Length}{prompt}: {_request.Installed.Info.Name} with this config takes at most {longest} tokens.");
        }

        /// <summary>Training steps for a while: one where a step is long, hundreds where it is short.</summary>
        /// <returns>The tokens they saw.</returns>
        private long Train()
        {
            _reports.Clear();
            var start = Stopwatch.GetTimestamp();
            do
                _trainer!.Advance(StepsACall - _reports.Count, _reports);
            while (_reports.Count < StepsACall && Stopwatch.GetElapsedTime(start).TotalSeconds < SecondsACall);
            return _reports.Sum(r => r.TokenCount);
        }

        /// <summary>One pass over the prompt with the final state kept, the head at the last position only.</summary>
        /// <returns>Its tokens.</returns>
        private long Prefill()
        {
            using var scope = NewDisposeScope();
            using var mode = inference_mode();
            var model = (TokenModel)_model;
            var ids = Prompt(_request.Length);
            using var state = model.NewState(_request.Batch);
            var hidden = state is null ? model.Hidden(ids) : model.Hidden(ids, state);
            _ = model.Head(hidden.narrow(1, _request.Length - 1, 1));
            return Tokens;
        }

        /// <summary>
        /// Tokens one by one, greedily, after a short prompt, which is not timed. Turn by turn with the last tenth the first tenth is decoded once more, from
        /// a copy of its state and beside the clock of the whole, so that a machine whose speed changes changes both.
        /// </summary>
        /// <returns>Median time of the last tenth of the tokens over that of the first.</returns>
        private double Decode(Timing timing)
        {
            using var scope = NewDisposeScope();
            using var mode = inference_mode();
            var model = (TokenModel)_model;
            using var state = model.NewState(_request.Batch)!;
            var hidden = model.Hidden(Prompt(PromptLength), state);
            var ids = model.Head(hidden.narrow(1, PromptLength - 1, 1)).argmax(-1).view(-1);
            using var stateOnce = state.Clone();
            using var tokens = new TokenByToken(model, state, ids, _options.Cancellation);
            using var again = new TokenByToken(model, stateOnce, ids, _options.Cancellation);
            var (wall, cpu) = (0.0, 0.0);
            var tenth = Math.Max(1, _request.Length / 10);
            Timed(() => tokens.Run(_request.Length - tenth));
            var ratio = TurnByTurn.LateOverEarly(tenth, count => Timed(() => tokens.Run(count)), again.Run);
            timing.Add(wall / Tokens, cpu / Tokens);
            return ratio;

            double[] Timed(Func<double[]> part)
            {
                var (cpuBefore, wallBefore) = (CpuClock.Seconds, Stopwatch.GetTimestamp());
                var times = part();
                wall += Stopwatch.GetElapsedTime(wallBefore).TotalSeconds;
                cpu += CpuClock.Seconds - cpuBefore;
                return times;
            }
        }

        private Tensor Prompt(int length) => randint(((TokenModel)_model).VocabSize, [_request.Batch, length], int64, _options.Device);

        /// <summary>Decodes greedily from a state on.</summary>
        private sealed class TokenByToken(TokenModel model, ModelState state, Tensor first, CancellationToken cancellation) : IDisposable
        {
            private Tensor _ids = first.clone().DetachFromDisposeScope();

            /// <summary>The next tokens.</summary>
            /// <returns>Seconds of each.</returns>
            public double[] Run(int count)
            {
                var times = new double[count];
                for (var i = 0; i < count; i++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    using var step = NewDisposeScope();
                    var start = Stopwatch.GetTimestamp();
                    var next = model.Head(model.Step(_ids, state)).argmax(-1).DetachFromDisposeScope();
                    times[i] = Stopwatch.GetElapsedTime(start).TotalSeconds;
                    _ids.Dispose();
                    _ids = next;
                }
                return times;
            }

            public void Dispose() => _ids.Dispose();
        }
    }
}
