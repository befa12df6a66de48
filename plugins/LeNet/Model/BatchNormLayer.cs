using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.LeNet;

/// <summary>
/// Batch normalisation with learned scale and offset: by the batch's statistics in training, by running ones in evaluation, where it is a
/// fixed scale and offset a channel (Ioffe and Szegedy 2015, algorithm 2).
/// </summary>
/// <remarks>
/// Parameters and buffers are named as in PyTorch. Running statistics move as its `momentum` has it: running = (1 - momentum) running +
/// momentum batch, so that momentum is 1 - decay; the batch's variance enters with divisor n - 1. Gradient accumulation and data
/// parallelism change the statistics: they are those of one small batch. Always float32, whatever the input.
/// </remarks>
internal sealed class BatchNormLayer : nn.Module<Tensor, Tensor>
{
    /// <summary>Share of each batch in the running statistics unless somebody says otherwise.</summary>
    public const double DefaultMomentum = 0.1;

    [ComponentName(Name = "weight")] private readonly Parameter _weight;
    [ComponentName(Name = "bias")] private readonly Parameter _bias;
    [ComponentName(Name = "running_mean")] private readonly Tensor _runningMean;
    [ComponentName(Name = "running_var")] private readonly Tensor _runningVar;
    [ComponentName(Name = "num_batches_tracked")] private readonly Tensor _batchesTracked;
    private readonly double _eps;
    private readonly double _momentum;
    private readonly KernelChoice _kernels;

    /// <param name="channels">How many channels.</param>
    /// <param name="eps">What is added to the variance.</param>
    /// <param name="momentum">Share of the batch in the running statistics, in [0, 1].</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <param name="device">Where the parameters live.</param>
    public BatchNormLayer(long channels, double eps, double momentum, KernelChoice kernels, Device device) : base(nameof(BatchNormLayer))
    {
        (_eps, _momentum, _kernels) = (eps, momentum, kernels);
        using var scope = NewDisposeScope();
        _weight = new Parameter(ones(channels, device: device));
        _bias = new Parameter(zeros(channels, device: device));
        _runningMean = zeros(channels, device: device);
        _runningVar = ones(channels, device: device);
        _batchesTracked = zeros([], ScalarType.Int64, device);
        scope.Detach(_weight, _bias, _runningMean, _runningVar, _batchesTracked);   // they live as long as the layer
        RegisterComponents();
    }

    /// <summary>Normalises; in training mode the running statistics take in the batch's.</summary>
    /// <param name="x">[batch, channel] or [batch, channel, height, width].</param>
    /// <returns>Shape and dtype of <paramref name="x"/>.</returns>
    /// <exception cref="ShapeException">The channels are others, or a training batch has one value a channel.</exception>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var values = x.dtype is ScalarType.BFloat16 or ScalarType.Float16 ? x.to(ScalarType.Float32) : x;
        var (y, mean, variance) = BatchNorm.Apply(values, _weight, _bias, _runningMean, _runningVar, training, _eps, _kernels);
        if (training)
            Track(mean, variance, count: x.numel() / x.shape[1]);
        return y.to(x.dtype).MoveToOuterDisposeScope();
    }

    private void Track(Tensor mean, Tensor variance, long count)
    {
        // Held by name: TorchSharp lets go of an implicit scalar while libtorch still reads it.
        using Scalar kept = (1 - _momentum).ToScalar(), meanShare = _momentum.ToScalar(), one = 1.ToScalar();
        using Scalar varianceShare = (_momentum * count / (count - 1.0)).ToScalar();
        using var noGrad = no_grad();
        _runningMean.mul_(kept).add_(mean, alpha: meanShare);
        _runningVar.mul_(kept).add_(variance, alpha: varianceShare);
        _batchesTracked.add_(one);
    }
}
