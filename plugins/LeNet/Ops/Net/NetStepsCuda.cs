using Zoo.Kernels;
using Zoo.Kernels.Cuda;
using Zoo.Training;

namespace Zoo.LeNet.Ops.Net;

/// <summary>
/// Whole training steps of 1989 on a card, one after the other in a single launch: SGD on the mean squared error, parameters in the shared memory
/// of one block. All arrays are on the device.
/// </summary>
/// <param name="Parameters">In the order of <see cref="NetLayout.Names"/>; updated in place.</param>
/// <param name="Momentum">Their momentum buffers, updated in place; empty without momentum.</param>
/// <param name="Images">[steps · batch, 16, 16].</param>
/// <param name="Labels">[steps · batch], int64.</param>
internal readonly record struct NetStepsCuda(KernelArray[] Parameters, KernelArray[] Momentum, KernelArray Images, KernelArray Labels)
{
    /// <summary>Why settings cannot be trained so, in words for the user; null when they can.</summary>
    public static string? Reject(TrainingSettings settings, LeNetConfig config, ICudaDevice device) =>
        NetTraining.Reject(settings) is { } reason ? reason
        : settings.Optimizer != OptimizerKind.Sgd ? $"on a card it has SGD alone, and optimizer is {settings.Optimizer}"
        : config.Loss != LeNetLoss.Mse ? $"on a card it has the mean squared error alone, and loss is {config.Loss}"
        : config.Shift ? "on a card it moves no images, and shift is true"
        : config.Dropout > 0 ? $"on a card it has no dropout, and dropout is {config.Dropout}"
        : config.BatchNorm ? "it has no batch normalisation, and batch_norm is true"
        : NetCuda.WhyTooSmall(device);

    /// <summary>Runs the steps, and waits for the losses.</summary>
    /// <param name="device">Where the arrays are.</param>
    /// <param name="settings">Complete settings, that <see cref="Reject"/> takes.</param>
    /// <param name="batchSize">Examples a step.</param>
    /// <param name="learningRates">One a step.</param>
    /// <param name="form">Which net.</param>
    /// <returns>The loss of each step, before its update.</returns>
    public unsafe float[] Run(ICudaDevice device, TrainingSettings settings, int batchSize, ReadOnlySpan<double> learningRates, NetForm form)
    {
        using var cuda = new CudaLauncher(device, CudaSource.Of(typeof(NetStepsCuda).Assembly, "Net.cu"), "lenet1989_step");
        var rates = new float[learningRates.Length];
        for (var i = 0; i < rates.Length; i++)
            rates[i] = (float)learningRates[i];
        var parameters = NetCuda.Pack(cuda, Parameters);
        var momentum = Momentum.Length > 0 ? NetCuda.Pack(cuda, Momentum) : default;
        var losses = cuda.Scratch(rates.Length);
        cuda.Launch(
            "lenet1989_steps", 1, NetCuda.Threads, NetCuda.SharedBytes,
            [
                parameters, momentum, Images, Labels, cuda.Upload<float>(rates), losses, rates.Length, batchSize,
                (float)settings.Momentum!.Value, (float)settings.WeightDecay!.Value, .. NetCuda.Of(form),
            ]);
        NetCuda.Unpack(cuda, parameters, 1, Parameters);
        if (momentum.IsPresent)
            NetCuda.Unpack(cuda, momentum, 1, Momentum);
        var result = new float[rates.Length];
        fixed (float* host = result)
            device.CopyOut(losses.Pointer, (nint)host, losses.Bytes);
        return result;
    }
}
