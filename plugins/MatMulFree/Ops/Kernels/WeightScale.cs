using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>w_scale = max(mean |w|, 1e-5) of a matrix, and the ternary codes by it: clamp(round(w / w_scale), -1, 1), halves to even.</summary>
/// <remarks>
/// The mean is a sum in float64 of eight interleaved parts, in a fixed order: it does not depend on the vector width, on threads, or on how many
/// pieces the matrix comes in, so a model that was packed piece by piece has the scales that its unpacked form computes.
/// </remarks>
internal unsafe struct WeightScale
{
    /// <summary>Below this a matrix counts as if its mean were so large; as in the original.</summary>
    public const float Least = 1e-5f;

    /// <summary>All pieces but the last have a multiple of so many weights.</summary>
    public const int Together = 8;

    private Vector256<double> _low, _high;
    private double _rest;
    private long _count;

    /// <summary>The scale of a whole matrix.</summary>
    /// <param name="weights">Its numbers.</param>
    /// <param name="count">How many.</param>
    public static float Of(float* weights, long count)
    {
        var scale = new WeightScale();
        scale.Add(weights, count);
        return scale.Value;
    }

    /// <summary>The scale of what was added.</summary>
    public readonly float Value
    {
        get
        {
            if (_count == 0)
                return Least;
            var sum = _low + _high;
            return Math.Max((float)((sum[0] + sum[1] + (sum[2] + sum[3]) + _rest) / _count), Least);
        }
    }

    /// <summary>Adds the next piece of the matrix, in the order of its memory.</summary>
    /// <param name="weights">The piece.</param>
    /// <param name="count">How many; a multiple of <see cref="Together"/> unless it is the last one.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(float* weights, long count)
    {
        var (low, high) = (_low, _high);
        long i = 0;
        for (; i <= count - Together; i += Together)
        {
            var w = Vector256.Abs(Vector256.Load(weights + i));
            low += Vector256.WidenLower(w);
            high += Vector256.WidenUpper(w);
        }
        (_low, _high) = (low, high);
        for (; i < count; i++)
            _rest += Math.Abs(weights[i]);
        _count += count;
    }

    /// <summary>The largest number that becomes 0: weights above it become 1, below its negative -1, exactly as <see cref="Ternary"/> has it.</summary>
    /// <param name="scale">w_scale.</param>
    public static float Threshold(float scale)
    {
        var half = 0.5f * scale;
        var next = MathF.BitIncrement(half);
        return next / scale > 0.5f ? half : next;            // the quotient of the next number may round to a half, too
    }

    /// <summary>The ternary number that a weight becomes: -1, 0 or 1.</summary>
    /// <param name="weight">w; NaN becomes 0.</param>
    /// <param name="scale">w_scale.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Ternary(float weight, float scale)
    {
        var ratio = weight / scale;                          // halves are rounded to even: to zero
        return ratio > 0.5f ? 1 : ratio < -0.5f ? -1 : 0;
    }
}
