namespace Zoo.Kernels;

/// <summary>
/// A named function on named tensors, callable by name: how `zoo verify` reaches it, and any plugin. Experimental until 1.0.
/// </summary>
/// <remarks>An op written only as tensor code runs as `reference` under every <see cref="KernelChoice"/>.</remarks>
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

    /// <summary>The definition in plain tensor code, with autograd by libtorch.</summary>
    /// <param name="inputs">Checked by <see cref="Invoke"/>: every required argument, no other names.</param>
    /// <param name="options">Values of the options that were given.</param>
    protected abstract NamedTensors Reference(NamedTensors inputs, OpOptions options);

    /// <summary>Runs the op.</summary>
    /// <param name="inputs">Tensors by argument name.</param>
    /// <param name="options">Options by name.</param>
    /// <param name="choice">Which backend is wanted.</param>
    /// <exception cref="ShapeException">An argument is missing, unknown or misshaped.</exception>
    public OpResult Invoke(NamedTensors inputs, OpOptions options, KernelChoice choice)
    {
        foreach (var name in inputs.Keys)
        {
            if (Arguments.All(a => a.Name != name))
                throw new ShapeException($"{Name} has no argument '{name}'; it takes {string.Join(", ", Arguments.Select(a => a.Name))}.");
        }
        var sizes = new Dictionary<string, long>();
        foreach (var argument in Arguments)
        {
            if (inputs.Find(argument.Name) is { } tensor)
                argument.Check(tensor, Name, sizes);
            else if (!argument.Optional)
                throw new ShapeException($"{Name} needs the argument '{argument.Name}'.");
        }
        return new OpResult(Reference(inputs, options), "reference");
    }
}
