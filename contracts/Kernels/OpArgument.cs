using TorchSharp;

namespace Zoo.Kernels;

/// <summary>A tensor argument of an op.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Axes">Its axes in order; equal letters mean equal sizes across arguments, a number means that size, "..." any leading axes.</param>
public sealed record OpArgument(string Name, params IReadOnlyList<string> Axes)
{
    /// <summary>Whether it may be left out.</summary>
    public bool Optional { get; init; }

    /// <summary>Whether the op has a gradient of it. Where it has none, an argument that requires one is refused.</summary>
    public bool HasGradient { get; init; } = true;

    /// <summary>The one element type it may have; null for floating point.</summary>
    public torch.ScalarType? Dtype { get; init; }

    /// <summary>Checks a tensor against the axes and the sizes bound so far.</summary>
    /// <exception cref="ShapeException">It does not fit.</exception>
    internal void Check(torch.Tensor tensor, string op, Dictionary<string, long> sizes)
    {
        var shape = tensor.shape;
        var anyLeading = Axes.Count > 0 && Axes[0] == "...";
        var axes = anyLeading ? Axes.Skip(1).ToList() : Axes;
        var trailing = anyLeading ? shape[Math.Max(0, shape.Length - axes.Count)..] : shape;
        var fits = trailing.Length == axes.Count;
        for (var i = 0; fits && i < axes.Count; i++)
        {
            if (long.TryParse(axes[i], out var fixedSize))
                fits = trailing[i] == fixedSize;
            else if (sizes.TryGetValue(axes[i], out var size))
                fits = trailing[i] == size;
            else
                sizes[axes[i]] = trailing[i];
        }
        if (Dtype is { } dtype ? tensor.dtype != dtype : !tensor.is_floating_point())
            throw new ShapeException($"{op}: '{Name}' is {tensor.dtype} but must be {(Dtype is { } wanted ? wanted.ToString() : "floating point")}.");
        if (!HasGradient && tensor.requires_grad && torch.is_grad_enabled())
            throw new ShapeException($"{op} has no gradient of '{Name}', which requires one; detach it.");
        if (!fits)
        {
            var words = Axes.Select(a => sizes.TryGetValue(a, out var size) ? $"{a} {size}" : a);
            throw new ShapeException($"{op}: '{Name}' is {Shape.Describe(shape)} but must be [{string.Join(", ", words)}].");
        }
    }
}
