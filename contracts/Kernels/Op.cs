using System.Text.Json.Nodes;
using TorchSharp;

namespace Zoo.Kernels;

/// <summary>
/// A named function on named tensors with up to three backends, callable by name: how `zoo verify` and `zoo bench` reach it, and any plugin.
/// Experimental until 1.0.
/// </summary>
/// <remarks>An op without kernels is written only as tensor code and runs as `reference` under every <see cref="KernelChoice"/>.</remarks>
public abstract class Op
{
    /// <summary>Its name, in snake_case.</summary>
    public abstract string Name { get; }

    /// <summary>One line for a list.</summary>
    public abstract string Title { get; }

    /// <summary>Its tensor arguments, in order.</summary>
    public abstract IReadOnlyList<OpArgument> Arguments { get; }

    /// <summary>Names of its options; other keys of a golden case's config describe the case and are not read.</summary>
    public virtual IReadOnlyList<string> Options => [];

    /// <summary>Names of its outputs, in order.</summary>
    public abstract IReadOnlyList<string> Outputs { get; }

    /// <summary>Its hand-written kernels, the fastest first.</summary>
    public virtual IReadOnlyList<OpKernel> Kernels => [];

    /// <summary>
    /// Whether its gradients are the derivatives of what it computes; false where roundings pass gradients straight through.
    /// </summary>
    public virtual bool HasExactGradient => true;

    /// <summary>
    /// Whether inputs of half precision, all of one type, are widened to float32 and the first output narrowed again: for ops without a gradient
    /// whose kernels are written for float32.
    /// </summary>
    public virtual bool WidensHalves => false;

    /// <summary>The definition in plain tensor code, with autograd by libtorch.</summary>
    /// <param name="inputs">Checked: every required argument, no other names.</param>
    /// <param name="options">Values of the options that were given.</param>
    protected abstract NamedTensors Reference(NamedTensors inputs, OpOptions options);

    /// <summary>As above, for an op that stands on other ops, which get the user's choice.</summary>
    /// <param name="inputs">As above.</param>
    /// <param name="options">As above.</param>
    /// <param name="kernels">Which backends are wanted for the ops inside.</param>
    protected virtual NamedTensors Reference(NamedTensors inputs, OpOptions options, KernelChoice kernels) => Reference(inputs, options);

    /// <summary>
    /// Shapes of the outputs that kernels fill, in the order of <see cref="Outputs"/>, without arguments that are updated. Needed where there are
    /// kernels.
    /// </summary>
    protected virtual IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => throw new NotSupportedException($"{Name} has no kernels.");

    internal IReadOnlyList<KernelArraySpec> OutputSpecsOf(OpCall call) => OutputSpecs(call);

    /// <summary>Checks beyond names and axes.</summary>
    /// <exception cref="ShapeException">An argument does not fit.</exception>
    /// <exception cref="UserException">An option does not fit.</exception>
    protected virtual void Check(OpCall call)
    {
    }

    /// <summary>Bytes, flops and exponentials that no implementation can do without; null where it is not stated.</summary>
    /// <param name="call">Sizes and options.</param>
    /// <param name="backward">Forward and backward together, instead of forward alone.</param>
    public virtual OpCost? Floor(OpCall call, bool backward) => null;

    /// <summary>Other ways to compute the same, for `zoo bench` to compare with: a well-written loop, libtorch's own function.</summary>
    public virtual IReadOnlyList<OpBaseline> Baselines => [];

    /// <summary>Values for an argument that benchmarks and checks draw at random; the standard normal distribution unless the op needs others.</summary>
    /// <param name="argument">Which one.</param>
    /// <param name="shape">Its sizes.</param>
    public virtual torch.Tensor Sample(OpArgument argument, long[] shape) => argument.Dtype is { } dtype
        ? torch.zeros(shape, dtype)
        : torch.randn(shape);

    /// <summary>Letters of axes that a benchmark's shape may leave out, each with the letter whose size it then has.</summary>
    public virtual IReadOnlyDictionary<string, string> ImpliedSizes => new Dictionary<string, string>();

    /// <summary>A size that suits the op's checks, where sizes that differ from axis to axis do not; null for any.</summary>
    /// <param name="axis">The letter in the arguments' axes.</param>
    public virtual long? ExampleSize(string axis) => null;

    /// <summary>Values that suit the op's checks, where random numbers between 0.1 and 0.9 do not; null for those.</summary>
    /// <param name="argument">Which one.</param>
    /// <param name="shape">Its sizes.</param>
    public virtual torch.Tensor? Example(OpArgument argument, long[] shape) => null;

    /// <summary>The names that recorded cases of it go by.</summary>
    public virtual IReadOnlyList<string> CaseNames => [Name];

    /// <summary>
    /// Runs a recorded case; unless the op knows better, <see cref="Invoke"/> with those keys of its config that are options. An op whose cases
    /// record more than its outputs, or have bars of their own, says here what is to be compared and which bar it missed.
    /// </summary>
    /// <param name="recorded">The case.</param>
    /// <param name="choice">Which backend is wanted.</param>
    /// <exception cref="UserException">As <see cref="Invoke"/>.</exception>
    public virtual OpCaseResult RunCase(OpCase recorded, KernelChoice choice) =>
        new(Invoke(recorded.Arguments, OptionsIn(recorded.Config), choice).Outputs);

    /// <summary>Those keys of a recorded case's config that are options.</summary>
    protected OpOptions OptionsIn(JsonObject config) =>
        new(new JsonObject(config.Where(c => Options.Contains(c.Key)).Select(c => KeyValuePair.Create(c.Key, c.Value?.DeepClone()))));

    /// <summary>Runs the op, with gradients for the inputs that require them.</summary>
    /// <param name="inputs">Tensors by argument name, on one device.</param>
    /// <param name="options">Options by name.</param>
    /// <param name="choice">Which backend is wanted.</param>
    /// <exception cref="ShapeException">An argument is missing, unknown or misshaped.</exception>
    /// <exception cref="BackendRejectedException">The demanded backend does not take these inputs; the message has its reason.</exception>
    public OpResult Invoke(NamedTensors inputs, OpOptions options, KernelChoice choice)
    {
        var call = Describe(inputs, options);
        if (WidensHalves && HalfOf(inputs) is { } half)
            return InvokeWidened(inputs, options, choice, half);
        var kernel = Choose(call, choice);
        var backend = kernel?.Backend ?? KernelChoice.Reference;
        OpUsage.Record(Name, backend);
        var outputs = kernel is null ? Reference(inputs, options, choice) : OpFunction.Run(call, kernel, OutputSpecs(call));
        foreach (var argument in Arguments)
        {
            if (argument.Updated && inputs.Find(argument.Name) is { } updated)
                outputs[argument.Name] = updated.detach();
        }
        return new OpResult(outputs, backend);
    }

    /// <summary>Prepares a call that runs many times on the same memory, without gradients.</summary>
    /// <param name="inputs">Tensors by argument name, contiguous, on one device. They stay the caller's.</param>
    /// <param name="outputs">What it fills: a contiguous tensor for every output, none of it in an input's memory. They stay the caller's.</param>
    /// <param name="options">Options by name.</param>
    /// <param name="choice">Which backend is wanted.</param>
    /// <returns>The call; dispose it when done.</returns>
    /// <exception cref="ShapeException">An argument or output is missing, unknown, misshaped or not contiguous.</exception>
    /// <exception cref="BackendRejectedException">The demanded backend does not take these inputs.</exception>
    public PreparedCall Prepare(NamedTensors inputs, NamedTensors outputs, OpOptions options, KernelChoice choice)
    {
        using var noGradient = torch.no_grad();
        if (Outputs.FirstOrDefault(name => !outputs.ContainsKey(name)) is { } missing)
            throw new ShapeException($"{Name} fills '{missing}', and no tensor was given for it.");
        if (outputs.Keys.FirstOrDefault(name => !Outputs.Contains(name)) is { } unknown)
            throw new ShapeException($"{Name} has no output '{unknown}'; it has {string.Join(", ", Outputs)}.");
        var kept = Kept(inputs);
        var filled = Kept(outputs);
        try
        {
            var call = Describe(kept, options);
            var kernel = WidensHalves && HalfOf(kept) is not null ? null : Choose(call, choice);
            return new PreparedCall(call, kernel, choice, kernel is null ? new KernelArrays() : OpFunction.Arrays(call, filled, OutputSpecs(call)), filled);
        }
        catch
        {
            foreach (var tensor in kept.Values.Concat(filled.Values))
                tensor.Dispose();
            throw;
        }

        static NamedTensors Kept(NamedTensors tensors) => new(tensors.Select(t => KeyValuePair.Create(t.Key, t.Value.alias().DetachFromDisposeScope())));
    }

    /// <summary>The backend that <see cref="Invoke"/> would use.</summary>
    /// <exception cref="UserException">As <see cref="Invoke"/>.</exception>
    public string BackendFor(NamedTensors inputs, OpOptions options, KernelChoice choice) =>
        Choose(Describe(WidensHalves && HalfOf(inputs) is not null ? Widened(inputs) : inputs, options), choice)?.Backend ?? KernelChoice.Reference;

    /// <summary>Checks a call and binds the sizes of its axes, without running it.</summary>
    /// <exception cref="ShapeException">An argument is missing, unknown or misshaped.</exception>
    public OpCall Describe(NamedTensors inputs, OpOptions options)
    {
        var arguments = Arguments;
        foreach (var name in inputs.Keys)
        {
            if (!Takes(name))
                throw new ShapeException($"{Name} has no argument '{name}'; it takes {string.Join(", ", arguments.Select(a => a.Name))}.");
        }
        var sizes = new Dictionary<string, long>(StringComparer.Ordinal);
        List<OpArgument>? open = null;
        foreach (var argument in arguments)
        {
            if (inputs.Find(argument.Name) is { } tensor)
            {
                if (!argument.Check(tensor, Name, sizes))
                    (open ??= []).Add(argument);
            }
            else if (!argument.Optional)
            {
                throw new ShapeException($"{Name} needs the argument '{argument.Name}'.");
            }
        }
        foreach (var argument in open ?? [])
            argument.Check(inputs[argument.Name], Name, sizes);      // every letter has its size now
        var call = new OpCall(this, inputs, options, sizes);
        Check(call);
        return call;

        bool Takes(string name)
        {
            foreach (var argument in arguments)
            {
                if (argument.Name == name)
                    return true;
            }
            return false;
        }
    }

    /// <summary>The half-precision type that all floating-point inputs have; null where none has one.</summary>
    /// <exception cref="ShapeException">Some have one, and others another.</exception>
    private torch.ScalarType? HalfOf(NamedTensors inputs)
    {
        var types = inputs.Values.Where(t => t.is_floating_point()).Select(t => t.dtype).Distinct().ToList();
        if (!types.Exists(t => t is torch.ScalarType.Float16 or torch.ScalarType.BFloat16))
            return null;
        return types.Count == 1 ? types[0]
            : throw new ShapeException($"{Name}: the arguments are {string.Join(", ", inputs.Select(i => $"'{i.Key}' {i.Value.dtype}"))}; they must be of one type.");
    }

    private OpResult InvokeWidened(NamedTensors inputs, OpOptions options, KernelChoice choice, torch.ScalarType half)
    {
        using var scope = torch.NewDisposeScope();
        var wide = Invoke(Widened(inputs), options, choice);
        wide.Outputs[Outputs[0]] = wide.Outputs[Outputs[0]].to(half);
        foreach (var output in wide.Outputs.Values)
            output.MoveToOuterDisposeScope();
        return wide;
    }

    private static NamedTensors Widened(NamedTensors inputs) =>
        new(inputs.Select(i => KeyValuePair.Create(i.Key, i.Value.is_floating_point() ? i.Value.to(torch.ScalarType.Float32) : i.Value)));

    private OpKernel? Choose(OpCall call, KernelChoice choice) => Choose(choice, k => k.WhyNot(call));

    /// <summary>The kernel that a choice means, or null for the reference.</summary>
    /// <param name="choice">Which backend is wanted.</param>
    /// <param name="whyNot">Why a kernel cannot take this call; null when it can.</param>
    /// <exception cref="BackendRejectedException">The demanded backend cannot.</exception>
    private protected OpKernel? Choose(KernelChoice choice, Func<OpKernel, string?> whyNot)
    {
        var demanded = choice.For(Name);
        if (demanded == KernelChoice.Reference)
            return null;
        if (demanded is null)
            return Kernels.FirstOrDefault(k => whyNot(k) is null);
        var kernel = Kernels.FirstOrDefault(k => k.Backend == demanded);
        if (kernel is null && choice.NamedOps.Contains(Name))
        {
            var backends = Kernels.Select(k => k.Backend).Append(KernelChoice.Reference);
            throw new BackendRejectedException($"--kernels {choice}: {Name} has no '{demanded}' backend; it has {string.Join(", ", backends)}.");
        }
        if (kernel is not null && whyNot(kernel) is { } reason)
            throw new BackendRejectedException($"--kernels {choice}: {Name} cannot run on '{demanded}': {reason}.");
        return kernel;
    }
}
