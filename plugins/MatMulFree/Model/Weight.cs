using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Model;

/// <summary>A weight under the name that checkpoints have for it; what it is for is its owner's business.</summary>
internal sealed class Weight : nn.Module
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _value;

    public Weight(string name, Tensor value)
        : base(name)
    {
        _value = new Parameter(value);
        RegisterComponents();
    }

    public Parameter Value => _value;

    /// <summary>A norm's start.</summary>
    public static Weight Norm(string name, long dim) => new(name, ones(dim));
}
