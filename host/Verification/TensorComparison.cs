using System.Globalization;
using static TorchSharp.torch;

namespace Zoo.Host.Verification;

/// <summary>Compares a tensor with the one it must equal: shapes, then every element.</summary>
/// <param name="Worst">The element that is furthest off, relative to what is allowed; null where nothing could be compared.</param>
/// <param name="MaxAbsoluteError">The largest difference.</param>
/// <param name="Problem">Why the two are not equal, in a sentence; null when they are.</param>
internal sealed record TensorComparison(Deviation? Worst, double? MaxAbsoluteError, string? Problem)
{
    /// <summary>Compares with abs(got - expected) &lt;= atol + rtol abs(expected); integers must be exact. NaN equals NaN only.</summary>
    /// <param name="name">The tensor's name, for the message.</param>
    /// <param name="got">What came out, on any device.</param>
    /// <param name="expected">What must come out; its dtype says whether it is exact.</param>
    /// <param name="absolute">Allowed difference.</param>
    /// <param name="relative">Allowed difference in terms of the expected value.</param>
    public static TensorComparison Compare(string name, Tensor got, Tensor expected, double absolute, double relative)
    {
        if (!got.shape.AsSpan().SequenceEqual(expected.shape))
            return new(null, null, $"{name} is {Shape.Describe(got.shape)} but must be {Shape.Describe(expected.shape)}.");
        if (expected.numel() == 0)
            return new(null, null, null);
        if (!expected.is_floating_point())
            (absolute, relative) = (0, 0);
        var (a, b) = (Values(got), Values(expected));
        var (worstAt, worstExcess, maximum, off) = (0, double.NegativeInfinity, 0.0, 0);
        for (var i = 0; i < a.Length; i++)
        {
            var error = a[i].Equals(b[i]) || a[i] == b[i] ? 0 : Math.Abs(a[i] - b[i]);   // Equals: NaN is NaN; ==: 0 is -0
            if (double.IsNaN(error))
                error = double.PositiveInfinity;
            maximum = Math.Max(maximum, error);
            var excess = error == 0 ? -absolute : error - (absolute + relative * Math.Abs(b[i]));
            if (double.IsNaN(excess))
                excess = double.PositiveInfinity;
            if (excess > 0)
                off++;
            if (excess > worstExcess)
                (worstExcess, worstAt) = (excess, i);
        }
        var worst = new Deviation(name, Unravel(worstAt, expected.shape), a[worstAt], b[worstAt]);
        return new(worst, maximum, off == 0 ? null : Describe(worst, off, a.Length, absolute + relative * Math.Abs(b[worstAt])));
    }

    /// <summary>A number for a message.</summary>
    public static string Format(double value) => value.ToString("G6", CultureInfo.InvariantCulture);

    private static string Describe(Deviation worst, int off, int count, double allowed)
    {
        var where = worst.Index.Count == 0 ? worst.Tensor : $"{worst.Tensor}[{string.Join(", ", worst.Index)}]";
        var many = count == 1 ? "" : $"; {off} of {count} elements are off";
        return $"{where} is {worst.Got.ToString("G9", CultureInfo.InvariantCulture)} but must be " +
            $"{worst.Expected.ToString("G9", CultureInfo.InvariantCulture)} " +
            $"(difference {Format(worst.AbsoluteError)}, allowed {Format(allowed)}{many}).";
    }

    private static double[] Values(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().to(ScalarType.Float64).cpu().contiguous().data<double>().ToArray();
    }

    private static long[] Unravel(long position, long[] shape)
    {
        var index = new long[shape.Length];
        for (var axis = shape.Length - 1; axis >= 0; axis--)
        {
            index[axis] = position % shape[axis];
            position /= shape[axis];
        }
        return index;
    }
}
