using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Host.Verification;

/// <summary>An op and how to call it: what a property of ops is asked of.</summary>
/// <param name="Op">The op.</param>
internal sealed record OpSubject(Op Op)
{
    private static readonly long[] Sizes = [2, 3, 4, 5, 6, 7, 8, 9];

    /// <summary>Where the tensors live.</summary>
    public Device Device { get; init; } = CPU;

    /// <summary>Which backend is wanted.</summary>
    public KernelChoice Kernels { get; init; } = KernelChoice.Auto;

    /// <summary>
    /// Random values between 0.1 and 0.9 for every argument, or only the required ones, with a small size for each letter: suits
    /// decays, gates and states alike.
    /// </summary>
    /// <param name="withOptional">Whether optional arguments are given too.</param>
    /// <param name="dtype">Float32 or Float64; the values are float32 numbers either way.</param>
    public NamedTensors Inputs(bool withOptional, ScalarType dtype)
    {
        var values = new Random(11);
        var sizes = new Dictionary<string, long>(StringComparer.Ordinal);
        var inputs = new NamedTensors();
        foreach (var argument in Op.Arguments.Where(a => withOptional || !a.Optional))
        {
            var shape = argument.Axes.Select(SizeOf).ToArray();
            if (Op.Example(argument, shape) is { } example)
            {
                inputs.Add(argument.Name, (argument.Dtype is null ? example.to(dtype) : example).to(Device).requires_grad_(argument.Dtype is null && argument.HasGradient));
                continue;
            }
            if (argument.Dtype is { } other && other != ScalarType.BFloat16)
                throw new UserException($"'{argument.Name}' must be {other}, and what its values mean is not declared.");
            var data = new float[shape.Aggregate(1L, (a, b) => a * b)];
            for (var i = 0; i < data.Length; i++)
                data[i] = 0.1f + 0.8f * values.NextSingle();
            inputs.Add(argument.Name, tensor(data, shape, device: Device).to(argument.Dtype ?? dtype).requires_grad_(argument.HasGradient));
        }
        return inputs;

        long SizeOf(string axis)
        {
            if (axis == "...")
                return 2;
            foreach (var letter in OpArgument.LettersOf(axis))
                sizes.TryAdd(letter, Op.ExampleSize(letter) ?? Sizes[sizes.Count % Sizes.Length]);
            return OpArgument.SizeOf(axis, sizes)!.Value;
        }
    }

    /// <summary>The two ways of calling it: with what it needs, and with everything; one where nothing is optional.</summary>
    public IEnumerable<bool> WithOptional => Op.Arguments.Any(a => a.Optional) ? [false, true] : [false];

    /// <summary>Runs it on the chosen backend with default options.</summary>
    public NamedTensors Run(NamedTensors inputs) => Op.Invoke(Fresh(inputs), OpOptions.None, Kernels).Outputs;

    /// <summary>Runs the reference.</summary>
    public NamedTensors RunReference(NamedTensors inputs) => Op.Invoke(Fresh(inputs), OpOptions.None, KernelChoice.Parse(KernelChoice.Reference)).Outputs;

    /// <summary>The same with copies of what the op updates in place, so that another run starts from the same values.</summary>
    private NamedTensors Fresh(NamedTensors inputs)
    {
        var fresh = new NamedTensors(inputs);
        foreach (var argument in Op.Arguments.Where(a => a.Updated && inputs.ContainsKey(a.Name)))
            fresh[argument.Name] = inputs[argument.Name].clone();
        return fresh;
    }

    /// <summary>The sum over the outputs that have a gradient of the output times fixed random numbers; null where none has.</summary>
    public static Tensor? Loss(Op op, NamedTensors outputs)
    {
        var values = new Random(13);
        Tensor? loss = null;
        foreach (var name in op.Outputs)
        {
            if (outputs.Find(name) is not { } output)
                continue;
            var data = new float[output.numel()];
            for (var i = 0; i < data.Length; i++)
                data[i] = 2 * values.NextSingle() - 1;
            if (!output.requires_grad)
                continue;   // its numbers are drawn all the same: which outputs have a gradient differs from backend to backend
            var term = (output * tensor(data, output.shape, device: output.device).to(output.dtype)).sum();
            loss = loss is null ? term : loss + term;
        }
        return loss;
    }
}
