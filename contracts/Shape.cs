using TorchSharp;

namespace Zoo;

/// <summary>Checks shapes in managed code, because bad arguments to some native calls end the process.</summary>
public static class Shape
{
    /// <summary>Any size on this axis.</summary>
    public const long Any = -1;

    /// <summary>Requires that <paramref name="tensor"/> has these sizes.</summary>
    /// <param name="tensor">The argument.</param>
    /// <param name="name">Its name, for the message.</param>
    /// <param name="sizes">One size an axis, or <see cref="Any"/>.</param>
    /// <exception cref="ShapeException">It has others.</exception>
    public static void Require(torch.Tensor tensor, string name, params ReadOnlySpan<long> sizes)
    {
        var actual = tensor.shape;
        var fits = actual.Length == sizes.Length;
        for (var i = 0; fits && i < sizes.Length; i++)
            fits = sizes[i] == Any || sizes[i] == actual[i];
        if (!fits)
            throw new ShapeException($"'{name}' is {Describe(actual)} but must be {Describe(sizes)}");
    }

    /// <summary>Sizes in words: [2, 64, any].</summary>
    public static string Describe(ReadOnlySpan<long> sizes)
    {
        var words = new string[sizes.Length];
        for (var i = 0; i < words.Length; i++)
            words[i] = sizes[i] == Any ? "any" : sizes[i].ToString();
        return $"[{string.Join(", ", words)}]";
    }
}
