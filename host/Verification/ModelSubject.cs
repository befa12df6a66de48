using TorchSharp;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Host.Verification;

/// <summary>An architecture with one of its presets, and what to build it with: what a property is asked of.</summary>
/// <param name="Architecture">The plugin's object.</param>
/// <param name="Preset">One of its presets.</param>
internal sealed record ModelSubject(IModelArchitecture Architecture, string Preset)
{
    /// <summary>The seed that models are built from where a property needs no other.</summary>
    public const int Seed = 1;

    /// <summary>Where the model runs.</summary>
    public Device Device { get; init; } = CPU;

    /// <summary>Which backends it uses.</summary>
    public KernelChoice Kernels { get; init; } = KernelChoice.Auto;

    /// <summary>Ops of every installed plugin.</summary>
    public OpCatalog Ops { get; init; } = OpCatalog.Empty;

    /// <summary>What the architecture says of itself; read once, because a plugin's property may build it anew each time.</summary>
    public ArchitectureInfo Info { get; } = Architecture.Info;

    /// <summary>The preset's config.</summary>
    public ModelConfig Config => Architecture.Presets[Preset];

    /// <summary>A model on the subject's device and backends, initialised from a seed.</summary>
    public Model Build(int seed = Seed) => Build(seed, Kernels);

    /// <summary>The model with bfloat16 products.</summary>
    public Model BuildBFloat16(int seed = Seed) => Build(seed, Kernels, ScalarType.BFloat16);

    /// <summary>The model in its packed form.</summary>
    public Model BuildPacked(int seed = Seed) => Build(seed, Kernels, packed: true);

    /// <summary>The model in float64 on the reference backends: what the others are held against.</summary>
    public Model BuildFloat64(int seed = Seed)
    {
        var model = Build(seed, KernelChoice.Parse(KernelChoice.Reference));
        model.to(ScalarType.Float64);
        return model;
    }

    /// <summary>The model without storage: the largest preset costs nothing.</summary>
    public ModelOutline Outline() => ModelOutline.Of(Architecture, Config, Ops);

    /// <summary>Random inputs with random targets, as the model's kind and sizes ask for them; the same for the same seed.</summary>
    /// <param name="model">Says the sizes.</param>
    /// <param name="count">How many examples.</param>
    /// <param name="length">Time steps, where there is time.</param>
    /// <param name="seed">Of the values.</param>
    public Batch Examples(Model model, int count, int length = 12, int seed = 7)
    {
        var values = new Random(seed);
        return model switch
        {
            ImageClassifier images => new ImageBatch(
                Normal(values, count, images.Input.Channels, images.Input.Height, images.Input.Width),
                Integers(values, images.ClassCount, count)),
            TokenModel tokens => TokenExamples(values, tokens, count, Bounded(tokens, length)),
            VectorSequenceModel vectors => VectorExamples(values, vectors, count, length),
            _ => throw new UserException($"{Info.Name} builds a {model.GetType().Name}, which is none of the kinds that can be verified."),
        };
    }

    /// <summary>Random ids [count, length].</summary>
    public Tensor Ids(TokenModel model, int count, int length, int seed = 7) => Integers(new Random(seed), model.VocabSize, count, length);

    /// <summary>A batch whose floating-point inputs are in float64.</summary>
    public static Batch ToFloat64(Batch batch) => batch switch
    {
        ImageBatch images => new ImageBatch(images.Images.to(ScalarType.Float64), images.Labels.alias()),
        VectorBatch vectors => new VectorBatch(vectors.Inputs.to(ScalarType.Float64), vectors.Labels.alias()),
        TokenBatch tokens => new TokenBatch(tokens.Ids.alias(), tokens.ScoredPositions.alias(), tokens.Targets.alias()),
        _ => throw new ArgumentException($"Batches of {batch.GetType().Name} are not known here.", nameof(batch)),
    };

    /// <summary>Rows of a batch that <see cref="Examples"/> made.</summary>
    public static Batch Rows(Batch batch, params ReadOnlySpan<long> rows)
    {
        var numbers = tensor(rows.ToArray());
        return batch switch
        {
            ImageBatch images => new ImageBatch(Pick(images.Images), Pick(images.Labels)),
            VectorBatch vectors => new VectorBatch(Pick(vectors.Inputs), Pick(vectors.Labels)),
            TokenBatch tokens => AllScored(Pick(tokens.Ids), Pick(tokens.Targets.reshape(tokens.Ids.shape)).reshape(-1)),
            _ => throw new ArgumentException($"Batches of {batch.GetType().Name} are not known here.", nameof(batch)),
        };

        Tensor Pick(Tensor from) => from.index_select(0, numbers.to(from.device));
    }

    private Model Build(int seed, KernelChoice kernels, ScalarType dtype = ScalarType.Float32, bool packed = false)
    {
        manual_seed(seed);
        var model = Architecture.CreateModel(Config, new BuildContext { Device = Device, Dtype = dtype, Kernels = kernels, Ops = Ops, Packed = packed });
        return Device.type == DeviceType.CPU ? model : (Model)model.to(Device);
    }

    private static int Bounded(TokenModel model, int length) => model.MaximumLength is { } longest ? Math.Min(length, longest) : length;

    private TokenBatch TokenExamples(Random values, TokenModel model, int count, int length) =>
        AllScored(Integers(values, model.VocabSize, count, length), Integers(values, model.VocabSize, count * length));

    private static TokenBatch AllScored(Tensor ids, Tensor targets) =>
        new(ids, arange(ids.numel(), dtype: ScalarType.Int64, device: ids.device), targets);

    private VectorBatch VectorExamples(Random values, VectorSequenceModel model, int count, int length)
    {
        var inputs = Normal(values, count, length, model.InputDim);
        using var noGradient = no_grad();
        using var logits = model.Logits(inputs);
        return new VectorBatch(inputs, Integers(values, (int)logits.shape[^1], count));
    }

    /// <summary>Standard normal values from .NET's generator, so that torch's stays where the property put it.</summary>
    private Tensor Normal(Random values, params long[] shape)
    {
        var data = new float[shape.Aggregate(1L, (a, b) => a * b)];
        for (var i = 0; i < data.Length; i++)
            data[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - values.NextDouble())) * Math.Cos(2 * Math.PI * values.NextDouble()));
        return tensor(data, shape, device: Device);
    }

    private Tensor Integers(Random values, int below, params long[] shape)
    {
        var data = new long[shape.Aggregate(1L, (a, b) => a * b)];
        for (var i = 0; i < data.Length; i++)
            data[i] = values.Next(below);
        return tensor(data, shape, device: Device);
    }
}
