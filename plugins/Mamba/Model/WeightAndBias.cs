using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Zoo.Mamba.Model;

/// <summary>A weight and perhaps a bias under the names that checkpoints have for them; what they are for is their owner's business.</summary>
internal sealed class WeightAndBias : nn.Module
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter? _bias;

    public WeightAndBias(string name, Tensor weight, Tensor? bias = null)
        : base(name)
    {
        _weight = new Parameter(weight);
        _bias = bias is null ? null : new Parameter(bias);
        RegisterComponents();
    }

    public Tensor Weight => _weight;

    public Tensor? Bias => _bias;

    /// <summary>A linear layer's start in the original: uniform within 1/√in, biases zero.</summary>
    public static WeightAndBias Linear(string name, long inputs, long outputs, bool hasBias)
    {
        var bound = 1 / Math.Sqrt(inputs);
        return new(name, empty(outputs, inputs).uniform_(-bound, bound), hasBias ? zeros(outputs) : null);
    }

    /// <summary>A norm's start.</summary>
    public static WeightAndBias Norm(string name, long dim, bool hasBias) => new(name, ones(dim), hasBias ? zeros(dim) : null);
}
