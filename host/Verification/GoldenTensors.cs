using static TorchSharp.torch;

namespace Zoo.Host.Verification;

/// <summary>The tensors of a golden case, by what they are.</summary>
internal sealed class GoldenTensors
{
    public const string In = "in.";
    public const string Param = "param.";
    public const string Out = "out.";
    public const string Probe = "probe.";
    public const string Grad = "grad.";
    public const string GradIn = Grad + In;
    public const string GradParam = Grad + Param;

    /// <summary>How every name starts.</summary>
    public static IReadOnlyList<string> Prefixes { get; } = [In, Param, Out, Probe, GradIn, GradParam];

    private readonly Dictionary<string, NamedTensors> _byPrefix = Prefixes.ToDictionary(p => p, _ => new NamedTensors());

    /// <summary>Inputs.</summary>
    public NamedTensors Inputs => _byPrefix[In];

    /// <summary>Parameters, under the original project's names.</summary>
    public NamedTensors Parameters => _byPrefix[Param];

    /// <summary>Expected outputs.</summary>
    public NamedTensors Outputs => _byPrefix[Out];

    /// <summary>Cotangents of outputs: the loss is the sum of output times probe.</summary>
    public NamedTensors Probes => _byPrefix[Probe];

    /// <summary>Expected gradients of inputs.</summary>
    public NamedTensors InputGradients => _byPrefix[GradIn];

    /// <summary>Expected gradients of parameters.</summary>
    public NamedTensors ParameterGradients => _byPrefix[GradParam];

    /// <summary>How a name starts, or null when it starts with none of <see cref="Prefixes"/>.</summary>
    public static string? PrefixOf(string key) =>
        Prefixes.FirstOrDefault(p => key.StartsWith(p, StringComparison.Ordinal) && key.Length > p.Length);

    /// <summary>Puts a tensor where its name says.</summary>
    public void Add(string key, Tensor tensor)
    {
        var prefix = PrefixOf(key) ?? throw new ArgumentException($"'{key}' starts with none of {string.Join(", ", Prefixes)}.", nameof(key));
        _byPrefix[prefix].Add(key[prefix.Length..], tensor);
    }
}
