using TorchSharp;

namespace Zoo.Kernels;

/// <summary>One call of an op: its arguments, checked, with the sizes that their axes have.</summary>
public sealed class OpCall
{
    private readonly IReadOnlyDictionary<string, long> _sizes;

    internal OpCall(Op op, NamedTensors inputs, OpOptions options, IReadOnlyDictionary<string, long> sizes)
    {
        Op = op;
        Inputs = inputs;
        Options = options;
        _sizes = sizes;
        NeedsGradient = torch.is_grad_enabled() && RequiresGradient(inputs);
    }

    /// <summary>The op.</summary>
    public Op Op { get; }

    /// <summary>Its tensors; for choosing a backend. Kernels get raw memory instead.</summary>
    public NamedTensors Inputs { get; }

    /// <summary>Its options.</summary>
    public OpOptions Options { get; }

    /// <summary>Whether a backward pass will follow, so that forward keeps what it needs.</summary>
    public bool NeedsGradient { get; }

    /// <summary>Whether an optional argument was given.</summary>
    public bool Has(string argument) => Inputs.ContainsKey(argument);

    /// <summary>Size of an axis, by the letter in the arguments' axes.</summary>
    public long Size(string axis) => _sizes[axis];

    /// <summary>Size of an axis that only some forms of the arguments have; <paramref name="otherwise"/> where these have it not.</summary>
    public long SizeOr(string axis, long otherwise) => _sizes.TryGetValue(axis, out var size) ? size : otherwise;

    /// <summary>As <see cref="Size"/>, for loops.</summary>
    /// <exception cref="OverflowException">It has more than 2^31 - 1 elements.</exception>
    public int Count(string axis) => checked((int)_sizes[axis]);

    private static bool RequiresGradient(NamedTensors inputs)
    {
        foreach (var input in inputs.Values)
        {
            if (input.requires_grad)
                return true;
        }
        return false;
    }

    /// <summary>The op with the sizes of its axes, for messages: "linear_scan (B=8, L=512, D=512)".</summary>
    public override string ToString() => $"{Op.Name} ({string.Join(", ", _sizes.Select(s => $"{s.Key}={s.Value}"))})";
}
