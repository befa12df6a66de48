using System.Collections.Concurrent;

namespace Zoo.Kernels;

/// <summary>What the text of an axis says, read once: every call of every op asks for sizes.</summary>
internal sealed class OpAxis
{
    private static readonly ConcurrentDictionary<string, OpAxis> Known = new(StringComparer.Ordinal);

    private readonly Factor[] _factors;

    private OpAxis(string text)
    {
        IsRest = text == "...";
        _factors = IsRest ? [] : [.. text.Split('*').Select(Factor.Of)];
        Letters = [.. _factors.Where(f => f.Letter is not null).Select(f => f.Letter!)];
        IsProduct = text.Contains('*') || text.Contains('/');
    }

    /// <summary>Whether it stands for any leading axes.</summary>
    public bool IsRest { get; }

    /// <summary>Whether its size follows from others'.</summary>
    public bool IsProduct { get; }

    /// <summary>The letters that it has, as often as it has them.</summary>
    public string[] Letters { get; }

    /// <summary>A letter, a number, a product or "...".</summary>
    public static OpAxis Of(string text) => Known.GetOrAdd(text, static t => new OpAxis(t));

    /// <summary>Its size; null where it is "..." or one of its letters has none.</summary>
    /// <param name="sizes">By letter.</param>
    public long? SizeIn(IReadOnlyDictionary<string, long> sizes)
    {
        if (IsRest)
            return null;
        var product = 1L;
        foreach (var factor in _factors)
        {
            var size = factor.Number;
            if (factor.Letter is not null && !sizes.TryGetValue(factor.Letter, out size))
                return null;
            product = checked(product * ((size + factor.Divisor - 1) / factor.Divisor));
        }
        return product;
    }

    private readonly record struct Factor(string? Letter, long Number, long Divisor)
    {
        public static Factor Of(string text)
        {
            var parts = text.Split('/');
            var divisor = parts.Length == 1 ? 1 : long.Parse(parts[1]);
            return char.IsAsciiDigit(parts[0][0]) ? new(null, long.Parse(parts[0]), divisor) : new(parts[0], 0, divisor);
        }
    }
}
