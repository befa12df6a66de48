using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model;

/// <summary>A weight and perhaps a bias under the names that checkpoints have for them; what they are for is their owner's business.</summary>
internal sealed class Weights : nn.Module
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter? _bias;

    public Weights(string name, Tensor weight, Tensor? bias = null)
        : base(name)
    {
        _weight = new Parameter(weight);
        _bias = bias is null ? null : new Parameter(bias);
        RegisterComponents();
    }

    public Tensor Weight => _weight;

    public Tensor? Bias => _bias;

    /// <summary>The weight in float32, for ops that take no other, even where it is stored as bfloat16.</summary>
    public Tensor Float32 => _weight.dtype == ScalarType.BFloat16 ? _weight.to(ScalarType.Float32) : _weight;

    /// <summary>A matrix from the normal distribution, and a bias of zeros where one is wanted.</summary>
    public static Weights Normal(string name, double deviation, bool hasBias, params long[] shape) =>
        new(name, empty(shape).normal_(0, deviation), hasBias ? zeros(shape[0]) : null);

    /// <summary>The deviation of "small init": Nguyen and Salazar 2019, Transformers without Tears.</summary>
    public static double Small(int dim) => Math.Sqrt(2.0 / (5 * dim));

    /// <summary>The deviation of what enters the residual stream: Wang and Komatsuzaki's, in GPT-J.</summary>
    public static double Wang(int dim, int blocks) => 2.0 / blocks / Math.Sqrt(dim);

    /// <summary>As libtorch's linear layers start: uniform within 1/√in.</summary>
    public static Weights Uniform(string name, bool hasBias, long outputs, long inputs)
    {
        var bound = 1 / Math.Sqrt(inputs);
        return new(name, empty(outputs, inputs).uniform_(-bound, bound), hasBias ? empty(outputs).uniform_(-bound, bound) : null);
    }
}
