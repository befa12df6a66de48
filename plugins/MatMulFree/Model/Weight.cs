using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
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

    /// <summary>A large matrix: packed models hold it as they were asked to, and never whole in float32 where that is bfloat16.</summary>
    /// <param name="name">For messages.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="dim">Numbers of a row.</param>
    /// <param name="initialise">Fills a float32 tensor from the random generator.</param>
    /// <param name="context">Says how it is stored.</param>
    public static Weight Large(string name, long rows, long dim, Action<Tensor> initialise, BuildContext context)
    {
        if (context is { Packed: true, Dtype: ScalarType.BFloat16 })
            return new(name, PiecewiseInitial.BFloat16(rows, dim, initialise));
        var value = empty(rows, dim);
        initialise(value);
        return new(name, value);
    }

    /// <summary>A norm's start.</summary>
    public static Weight Norm(string name, long dim) => new(name, ones(dim));
}
