using System.Text.Json.Nodes;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.Kernels.Cuda;
using Zoo.LeNet.Ops.Net;
using Zoo.Tasks;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.LeNet;

/// <summary>
/// The network of 1989: two layers of planes with shared weights (H1, H2), a fully connected one (H3) and ten outputs.
/// </summary>
/// <remarks>
/// LeCun et al. 1989: weights are shared within a plane and each unit has a bias of its own; both layers of planes look at 5 x 5 units
/// two apart, with a border of two around what they see. H2's twelve planes stand in three groups of four, and each group sees eight of
/// H1's planes: 0 to 7, 4 to 11, and 0 to 3 with 8 to 11.
/// </remarks>
internal sealed class LeNetModel : ImageClassifier, IFusedTraining
{
    private const int ImageSide = 16;
    private const int Classes = 10;
    private const int KernelSide = 5;
    private const int Stride = 2;
    private const int PlaneCount = 12;
    private const int SeenPlaneCount = 8;
    private const int H1Side = ImageSide / Stride;
    private const int H2Side = H1Side / Stride;
    private const int H2UnitCount = PlaneCount * H2Side * H2Side;
    private const int H3UnitCount = 30;
    private const double Background = -1;   // empty paper

    [ComponentName(Name = "H1w")] private readonly Parameter _h1Weights;
    [ComponentName(Name = "H1b")] private readonly Parameter _h1Biases;
    [ComponentName(Name = "H2w")] private readonly Parameter _h2Weights;
    [ComponentName(Name = "H2b")] private readonly Parameter _h2Biases;
    [ComponentName(Name = "H3w")] private readonly Parameter _h3Weights;
    [ComponentName(Name = "H3b")] private readonly Parameter _h3Biases;
    [ComponentName(Name = "outw")] private readonly Parameter _outputWeights;
    [ComponentName(Name = "outb")] private readonly Parameter _outputBiases;
    [ComponentName(Name = "targets")] private readonly Tensor _targets;          // [class, class]: 1 on the diagonal, -1 elsewhere
    [ComponentName(Name = "H1n")] private readonly BatchNormLayer? _h1Norm;
    [ComponentName(Name = "H2n")] private readonly BatchNormLayer? _h2Norm;
    [ComponentName(Name = "H3n")] private readonly BatchNormLayer? _h3Norm;
    private readonly LeNetConfig _config;
    private readonly BuildContext _context;
    private readonly OpOptions _options;

    public LeNetModel(LeNetConfig config, BuildContext context) : base("lenet1989")
    {
        (_config, _context) = (config, context);
        _options = new OpOptions(new JsonObject
        {
            ["relu"] = config.Activation == LeNetActivation.Relu,
            ["tanh_outputs"] = config.Loss == LeNetLoss.Mse,
            ["hidden_border"] = HiddenBorder,
        });
        using var scope = NewDisposeScope();
        using Scalar one = 1, two = 2;   // held: a temporary scalar can be finalised while libtorch still reads it
        const int kernelSize = KernelSide * KernelSide;
        _h1Weights = Weights(kernelSize, PlaneCount, 1, KernelSide, KernelSide);
        _h1Biases = Biases(0, PlaneCount, H1Side, H1Side);
        _h2Weights = Weights(SeenPlaneCount * kernelSize, PlaneCount, SeenPlaneCount, KernelSide, KernelSide);
        _h2Biases = Biases(0, PlaneCount, H2Side, H2Side);
        _h3Weights = Weights(H2UnitCount, H2UnitCount, H3UnitCount);
        _h3Biases = Biases(0, H3UnitCount);
        _outputWeights = Weights(H3UnitCount, H3UnitCount, Classes);
        _outputBiases = Biases(config.Loss == LeNetLoss.Mse ? -1 : 0, Classes);   // nine of ten targets are -1
        if (config.BatchNorm)
        {
            (_h1Norm, _h2Norm, _h3Norm) = (Norm(PlaneCount), Norm(PlaneCount), Norm(H3UnitCount));
            _h3Biases.requires_grad = false;
        }
        _targets = (eye(Classes, device: context.Device) * two - one).DetachFromDisposeScope();
        register_buffer("targets", _targets, persistent: false);
        RegisterComponents();

        // Drawn on the CPU wherever the model goes, so that a seed means one set of weights.
        Parameter Weights(int fanIn, params long[] shape) =>
            Scaled(rand(shape, ScalarType.Float32) * two - one, 2.4 / Math.Sqrt(fanIn));
        BatchNormLayer Norm(long channels) =>
            new(channels, BatchNorm.DefaultEpsilon, BatchNormLayer.DefaultMomentum, context.Kernels, context.Device);
        Parameter Scaled(Tensor values, double bound)
        {
            using Scalar factor = bound;
            return Own(values * factor);
        }
        Parameter Biases(double value, params long[] shape) => Own(full(shape, value, ScalarType.Float32));
        Parameter Own(Tensor values)
        {
            var parameter = new Parameter(values.to(context.Device));
            parameter.DetachFromDisposeScope();
            return parameter;
        }
    }

    public override ImageShape Input { get; } = new(1, ImageSide, ImageSide);

    public override int ClassCount => Classes;

    /// <summary>Trainable numbers, counted from the shapes.</summary>
    internal long ParameterCount => TrainableParameters().Sum(p => p.Parameter.numel());

    /// <summary>Multiplications by a weight for one image: a shared weight counts once for every unit of its plane.</summary>
    internal long WeightMacCount =>
        _h1Weights.numel() * H1Side * H1Side + _h2Weights.numel() * H2Side * H2Side + _h3Weights.numel() + _outputWeights.numel();

    /// <summary>Normalisation stays in float32: its statistics need the bits.</summary>
    public override bool IsFloat32Island(string parameterName) => parameterName.StartsWith("H1n.", StringComparison.Ordinal)
        || parameterName.StartsWith("H2n.", StringComparison.Ordinal) || parameterName.StartsWith("H3n.", StringComparison.Ordinal);

    /// <summary>Class scores; in training mode of a moved image and with units dropped, where the config says so.</summary>
    /// <param name="images">In [-1, 1], -1 for empty paper, [batch, 1, 16, 16].</param>
    /// <returns>tanh outputs (mse) or plain scores (cross-entropy), [batch, 10].</returns>
    /// <exception cref="ShapeException">The images have another shape.</exception>
    public override Tensor Logits(Tensor images)
    {
        Shape.Require(images, "images", Shape.Any, 1, ImageSide, ImageSide);
        using var scope = NewDisposeScope();
        var x = images.dtype == _h1Weights.dtype ? images : images.to(_h1Weights.dtype);
        if (training && _config.Shift)
            x = Moved(x);
        var inputs = Parameters();
        inputs["x"] = x;
        if (training && _config.Dropout > 0)
            inputs["kept"] = Kept(x);
        var scores = _h1Norm is null
            ? NetOp.Instance.Invoke(inputs, _options, _context.Kernels).Outputs["logits"]
            : NetReference.Forward(inputs, NetOp.FormOf(_options), [_h1Norm.forward, _h2Norm!.forward, _h3Norm!.forward]);
        if (scores.dtype is ScalarType.BFloat16 or ScalarType.Float16)
            scores = scores.to(ScalarType.Float32);                                                    // the loss is no place to save bits
        return scores.MoveToOuterDisposeScope();
    }

    /// <summary>Mean squared error over batch and outputs, or softmax cross-entropy.</summary>
    public override Tensor Loss(Tensor logits, Tensor labels)
    {
        if (_config.Loss == LeNetLoss.CrossEntropy)
            return base.Loss(logits, labels);
        using var scope = NewDisposeScope();
        var targets = _targets.index_select(0, labels).to(logits.dtype);
        return nn.functional.mse_loss(logits, targets).MoveToOuterDisposeScope();
    }

    /// <summary>As every classifier's; the squared error is that of the given targets, whatever they are.</summary>
    public override NamedTensors RunCase(NamedTensors inputs)
    {
        var outputs = base.RunCase(inputs);
        if (_config.Loss == LeNetLoss.Mse && inputs.Find("y") is { } targets)
            outputs["loss"] = nn.functional.mse_loss(outputs["logits"], targets.to(outputs["logits"].dtype)).reshape(1);
        return outputs;
    }

    /// <inheritdoc/>
    public string FusedStepName => "lenet1989_step";

    /// <inheritdoc/>
    public string? RejectFused(TrainingSettings settings, Device device) =>
        _config.BatchNorm ? "it has no batch normalisation, and batch_norm is true"
        : device.type != DeviceType.CUDA ? NetTraining.Reject(settings)
        : CudaDevices.WhyNone(CardOf(device)) ?? NetStepsCuda.Reject(settings, _config, CudaDevices.Open(CardOf(device)));

    /// <inheritdoc/>
    public void RunFused(FusedSteps steps)
    {
        var parameters = Parameters();
        if (_h1Weights.device_type == DeviceType.CUDA)
        {
            RunOnCard(steps, parameters);
            return;
        }
        var memory = NetLayout.Names.Select(n => KernelArray.Of(parameters[n]).Pointer).ToArray();
        Simd.Run(new NetTraining(steps, memory, Randomness, _config, NetOp.FormOf(_options)));
        GC.KeepAlive(parameters);
    }

    private void RunOnCard(FusedSteps steps, NamedTensors parameters)
    {
        var batch = (ImageBatch)steps.Examples;
        var momentum = steps.Settings.Momentum > 0 ? NetLayout.Names.Select(n => KernelArray.Of(steps.OptimizerState[$"{n}.momentum_buffer"])) : [];
        var run = new NetStepsCuda(
            [.. NetLayout.Names.Select(n => KernelArray.Of(parameters[n]))], [.. momentum], KernelArray.Of(batch.Images), KernelArray.Of(batch.Labels));
        var losses = run.Run(CudaDevices.Open(CardOf(_h1Weights.device)), steps.Settings, steps.BatchSize, steps.LearningRates, NetOp.FormOf(_options));
        for (var i = 0; i < losses.Length; i++)
            steps.Losses[i] = losses[i];
        GC.KeepAlive(batch);
        GC.KeepAlive(parameters);
    }

    private static int CardOf(Device device) => Math.Max(0, device.index);

    private NamedTensors Parameters() => new()
    {
        ["H1w"] = _h1Weights,
        ["H1b"] = _h1Biases,
        ["H2w"] = _h2Weights,
        ["H2b"] = _h2Biases,
        ["H3w"] = _h3Weights,
        ["H3b"] = _h3Biases,
        ["outw"] = _outputWeights,
        ["outb"] = _outputBiases,
    };

    /// <summary>What lies around H1's planes: the image's background in the reproduction, whatever the activation.</summary>
    private double HiddenBorder => _config.Faithful || _config.Activation == LeNetActivation.Tanh ? Background : 0;

    /// <summary>The images moved by -1, 0 or 1 pixel on each axis, drawn once for the batch.</summary>
    private Tensor Moved(Tensor images)
    {
        var down = Randomness.NextInt32(-1, 2);
        var right = Randomness.NextInt32(-1, 2);
        return _config.Faithful ? Wrapped(images, down, right) : Filled(images, down, right);
    }

    /// <summary>0 for a unit that is dropped, 1 / (1 - dropout) for one that stays; a draw a unit, image after image.</summary>
    private Tensor Kept(Tensor images)
    {
        var factors = new float[images.shape[0] * H2UnitCount];
        var kept = (float)(1 / (1 - _config.Dropout));
        for (var i = 0; i < factors.Length; i++)
            factors[i] = Randomness.NextSingle() < _config.Dropout ? 0 : kept;
        return tensor(factors, images.dtype, images.device).view(-1, H2UnitCount);
    }

    /// <summary>Moved down and right; what leaves on one side comes in on the other.</summary>
    internal static Tensor Wrapped(Tensor images, long down, long right) => images.roll([down, right], [2, 3]);

    /// <summary>Moved down and right; empty paper comes in.</summary>
    internal static Tensor Filled(Tensor images, long down, long right) =>
        nn.functional.pad(images, [right, -right, down, -down], PaddingModes.Constant, Background);
}
