using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.LeNet;

/// <summary>Batch normalisation in plain tensor code; autograd derives the backward. Every backend is tested against this.</summary>
internal static class BatchNormReference
{
    /// <summary>
    /// Ioffe and Szegedy 2015, algorithm 1: μ = mean(x), σ² = mean((x - μ)²), x̂ = (x - μ) / √(σ² + ε), y = γ x̂ + β, means over batch
    /// and elements. Outside training μ and σ² are the running statistics (algorithm 2).
    /// </summary>
    /// <param name="x">[batch, channel, element].</param>
    /// <param name="weight">γ, [channel]; null for 1.</param>
    /// <param name="bias">β, [channel]; null for 0.</param>
    /// <param name="runningMean">μ outside training, [channel].</param>
    /// <param name="runningVar">σ² outside training, [channel].</param>
    /// <param name="training">Whether the batch's statistics are used.</param>
    /// <param name="eps">ε.</param>
    /// <returns>y, of the shape of <paramref name="x"/>; mean and var as they were used, [channel].</returns>
    public static NamedTensors Forward(
        Tensor x, Tensor? weight, Tensor? bias, Tensor? runningMean, Tensor? runningVar, bool training, double eps)
    {
        using var scope = NewDisposeScope();
        using var epsilon = eps.ToScalar();   // held: TorchSharp lets go of an implicit scalar while libtorch still reads it
        var mean = training ? x.mean([0, 2], keepdim: true) : PerChannel(runningMean!);    // [1, channel, 1]
        var centred = x - mean;
        var variance = training ? centred.square().mean([0, 2], keepdim: true) : PerChannel(runningVar!);
        var y = centred * (variance + epsilon).rsqrt();
        if (weight is not null)
            y = y * PerChannel(weight);
        if (bias is not null)
            y = y + PerChannel(bias);
        return new()
        {
            ["y"] = y.MoveToOuterDisposeScope(),
            ["mean"] = mean.detach().reshape(-1).clone().MoveToOuterDisposeScope(),
            ["var"] = variance.detach().reshape(-1).clone().MoveToOuterDisposeScope(),
        };

        static Tensor PerChannel(Tensor values) => values.view(1, -1, 1);
    }
}
