using TorchSharp;

namespace Zoo.Kernels;

/// <summary>A tensor argument of an op.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Axes">
/// Its axes in order; equal letters mean equal sizes across arguments, a number means that size, "..." any leading axes, and "4*H*D" the product of
/// letters that stand alone elsewhere, and of numbers. A factor "D/128" is a quotient, rounded up: "32*D/128" is 32 for each 128 begun.
/// </param>
public sealed record OpArgument(string Name, params IReadOnlyList<string> Axes)
{
    /// <summary>Other axes that it may have instead, each list of another length.</summary>
    public IReadOnlyList<IReadOnlyList<string>> OtherAxes { get; init; } = [];

    /// <summary>Whether it may be left out.</summary>
    public bool Optional { get; init; }

    /// <summary>Whether the op has a gradient of it. Where it has none, an argument that requires one is refused.</summary>
    public bool HasGradient { get => field && !Updated; init; } = true;

    /// <summary>
    /// Whether the call changes it in place; it then has no gradient, and an output of its name is a tensor on the same memory. Autograd is not
    /// told: it must be no tensor that a backward pass still needs.
    /// </summary>
    public bool Updated { get; init; }

    /// <summary>The one element type it may have; null for floating point.</summary>
    public torch.ScalarType? Dtype { get; init; }

    /// <summary>Whether kernels take it stored as bfloat16, too: the weights of inference.</summary>
    public bool MayBeBFloat16 { get; init; }

    /// <summary>Every letter that a size is asked for.</summary>
    public IEnumerable<string> Letters => OtherAxes.Prepend(Axes).SelectMany(axes => axes).SelectMany(LettersOf).Distinct();

    /// <summary>The letters of an axis: one, the factors of a product that are letters, or none.</summary>
    public static IEnumerable<string> LettersOf(string axis) => OpAxis.Of(axis).Letters;

    /// <summary>The size of an axis; null where it is "..." or one of its letters has none.</summary>
    /// <param name="axis">A letter, a number, a product or "...".</param>
    /// <param name="sizes">By letter.</param>
    public static long? SizeOf(string axis, IReadOnlyDictionary<string, long> sizes) => OpAxis.Of(axis).SizeIn(sizes);

    /// <summary>The longest of its lists of axes whose letters all have a size; <see cref="Axes"/> where none has.</summary>
    /// <param name="sizes">By letter.</param>
    public IReadOnlyList<string> AxesFor(IReadOnlyDictionary<string, long> sizes) => OtherAxes.Append(Axes)
        .Where(axes => axes.SelectMany(LettersOf).All(sizes.ContainsKey)).MaxBy(axes => axes.Count) ?? Axes;

    /// <summary>Checks a tensor against the axes and the sizes bound so far.</summary>
    /// <returns>Whether that is all; false where a product has a letter that other arguments bind: it is to be checked again after them.</returns>
    /// <exception cref="ShapeException">It does not fit.</exception>
    internal bool Check(torch.Tensor tensor, string op, Dictionary<string, long> sizes)
    {
        var rank = (int)tensor.ndim;
        var axes = AxesOf(rank);
        var leading = axes.Count > 0 && OpAxis.Of(axes[0]).IsRest ? 1 : 0;
        var named = axes.Count - leading;
        var fits = leading == 1 ? rank >= named : rank == named;
        var isAll = true;
        for (var i = 0; fits && i < named; i++)
        {
            var axis = OpAxis.Of(axes[leading + i]);
            if (axis.SizeIn(sizes) is { } size)
                fits = tensor.size(rank - named + i) == size;
            else if (axis.IsProduct)
                isAll = false;
            else
                sizes[axes[leading + i]] = tensor.size(rank - named + i);
        }
        if (Dtype is { } dtype ? tensor.dtype != dtype : !tensor.is_floating_point())
            throw new ShapeException($"{op}: '{Name}' is {tensor.dtype} but must be {(Dtype?.ToString() ?? "floating point")}.");
        if (!HasGradient && tensor.requires_grad && torch.is_grad_enabled())
            throw new ShapeException($"{op} has no gradient of '{Name}', which requires one; detach it.");
        if (!fits)
        {
            var shape = tensor.shape;
            var forms = OtherAxes.Prepend(Axes).ToList();
            if (forms.Any(form => form.Count == shape.Length))
                forms.RemoveAll(form => form.Count != shape.Length);
            var words = forms.Select(form => $"[{string.Join(", ", form.Select(a => !long.TryParse(a, out _) && SizeOf(a, sizes) is { } size ? $"{a} {size}" : a))}]");
            throw new ShapeException($"{op}: '{Name}' is {Shape.Describe(shape)} but must be {string.Join(" or ", words)}.");
        }
        return isAll;
    }

    /// <summary>Those of its lists of axes that have so many; <see cref="Axes"/> where none has.</summary>
    private IReadOnlyList<string> AxesOf(int rank)
    {
        foreach (var other in OtherAxes)
        {
            if (other.Count == rank)
                return other;
        }
        return Axes;
    }
}
