using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn.Ops;

/// <summary>The option `activation` of minGRU and minLSTM: which of the paper's two forms it is.</summary>
internal static class ActivationOption
{
    public const string Name = "activation";

    /// <summary>g, for the form that a scan over logarithms can compute.</summary>
    public const string Positive = "g";

    /// <summary>None: the plain form.</summary>
    public const string Identity = "identity";

    /// <summary>Whether it is the plain form.</summary>
    public static bool IsPlain(OpOptions options) => options.Get(Name, Positive) == Identity;

    /// <exception cref="UserException">It is neither.</exception>
    public static void Check(OpCall call)
    {
        var activation = call.Options.Get(Name, Positive);
        if (activation is not (Positive or Identity))
            throw new UserException($"{call.Op.Name}: '{Name}' is '{activation}'; it must be {Positive} or {Identity}.");
    }

    /// <summary>φ(x) in tensor code, whatever the shape.</summary>
    public static Tensor Apply(Tensor x, OpOptions options)
    {
        if (IsPlain(options))
            return x.alias();
        using Scalar zero = 0;
        using Scalar half = 0.5;
        return where(x.ge(zero), x.add(half), x.sigmoid());
    }
}
