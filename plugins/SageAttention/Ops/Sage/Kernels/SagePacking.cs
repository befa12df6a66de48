using System.Runtime.CompilerServices;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Lays keys and values out as <see cref="PairProducts"/> reads them.</summary>
internal static unsafe class SagePacking
{
    /// <summary>The largest whole number of a value: with <see cref="SageSoftmax.Largest"/> and a tile of keys its sums fit 31 bits.</summary>
    public const int LargestValue = 4095;

    /// <summary>Whole rows to panels: [panel of two registers of keys][pair of dimensions][key][2].</summary>
    /// <param name="whole">[key, stride].</param>
    /// <param name="keys">How many, at most one tile's.</param>
    /// <param name="pairs">Pairs of dimensions.</param>
    /// <param name="stride">From a key to the next.</param>
    /// <param name="panels">Of one tile; keys that are not there become zero.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Keys<L>(short* whole, int keys, int pairs, int stride, short* panels)
        where L : struct, IMixedLanes<L>
    {
        var width = 2 * L.Count;
        for (var first = 0; first < SageSizes.KeysOfATile; first += width)
        {
            var count = Math.Clamp(keys - first, 0, width);
            var panel = (int*)(panels + (long)first * pairs * 2);
            for (var key = 0; key < count; key++)
            {
                var row = (int*)(whole + (long)(first + key) * stride);
                for (var i = 0; i < pairs; i++)
                    panel[i * width + key] = row[i];
            }
            for (var i = 0; i < pairs && count < width; i++)
                new Span<int>(panel + i * width + count, width - count).Clear();
        }
    }

    /// <summary>Values of one tile to panels of whole numbers: [panel of two registers of dimensions][pair of keys][dimension][2].</summary>
    /// <param name="v">[key, dim].</param>
    /// <param name="keys">How many, at most one tile's.</param>
    /// <param name="dim">Dimensions.</param>
    /// <param name="mean">What is taken off first, [padded dim].</param>
    /// <param name="inverse">What it is multiplied with then, [padded dim].</param>
    /// <param name="largestFloat8">To what the largest value goes before all are rounded to FP8 E4M3; 0 where they are not.</param>
    /// <param name="panels">Keys and dimensions that are not there become zero.</param>
    /// <param name="float8">Gets the rounded values, [key, dim]; null where nobody asks.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Values<L>(float* v, int keys, int dim, float* mean, float* inverse, float largestFloat8, short* panels, float* float8)
        where L : struct, IMixedLanes<L>
    {
        var width = 2 * L.Count;
        var lowHalf = L.Create(0xffff);
        var buffer = stackalloc float[2 * width];
        if (largestFloat8 > 0)
        {
            var rounded = stackalloc float[SageSizes.KeysOfATile * dim];
            Float8Values(v, keys, dim, mean, inverse, rounded);
            if (float8 != null)
                new Span<float>(rounded, keys * dim).CopyTo(new Span<float>(float8, keys * dim));
            float* zeros = stackalloc float[dim + width], units = stackalloc float[dim + width];
            new Span<float>(zeros, dim + width).Clear();
            new Span<float>(units, dim + width).Fill(LargestValue / largestFloat8);
            Values<L>(rounded, keys, dim, zeros, units, 0, panels, null);
            return;
        }
        for (var column = 0; column < dim; column += width)
        {
            var isWhole = column + width <= dim;
            for (var key = 0; key < SageSizes.KeysOfATile; key += 2, panels += 2 * width)
            {
                if (key >= keys)
                {
                    new Span<short>(panels, 2 * width).Clear();
                    continue;
                }
                float* a = v + (long)key * dim + column, b = a + dim;
                if (!isWhole || key + 1 == keys)
                {
                    for (var i = 0; i < width; i++)     // what is not there becomes zero by standing at the mean
                    {
                        buffer[i] = column + i < dim ? a[i] : mean[column + i];
                        buffer[width + i] = column + i < dim && key + 1 < keys ? b[i] : mean[column + i];
                    }
                    a = buffer;
                    b = buffer + width;
                }
                for (var i = 0; i < width; i += L.Count)
                {
                    L shift = L.Load(mean + column + i), factor = L.Load(inverse + column + i);
                    var even = L.ToInt32(L.Multiply(L.Subtract(L.Load(a + i), shift), factor));
                    var odd = L.ToInt32(L.Multiply(L.Subtract(L.Load(b + i), shift), factor));
                    L.Or(L.And(even, lowHalf), L.ShiftLeft(odd, 16)).Store(panels + 2 * i);
                }
            }
        }
    }

    /// <summary>(v - mean) · inverse, rounded to FP8 E4M3: three bits of fraction, or units of 2⁻⁹ below 2⁻⁶.</summary>
    private static void Float8Values(float* v, int keys, int dim, float* mean, float* inverse, float* rounded)
    {
        const uint ExponentBits = 0x7f800000;
        const float LeastPower = 1f / 64;
        const float Rounder = 3 << 19;          // times a number's power of two, added and taken off, it leaves three bits of fraction
        for (var i = 0; i < keys; i++)
        {
            for (var j = 0; j < dim; j++)
            {
                var value = (v[(long)i * dim + j] - mean[j]) * inverse[j];
                var power = BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & ExponentBits);
                var magic = Math.Max(power, LeastPower) * Rounder;
                rounded[i * dim + j] = value + magic - magic;
            }
        }
    }

    /// <summary>Whole rows as int8.</summary>
    public static void Bytes(short* whole, int rows, int dim, int stride, sbyte* bytes)
    {
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < dim; j++)
                bytes[(long)i * dim + j] = (sbyte)whole[(long)i * stride + j];
        }
    }

    /// <summary>0, or NaN where a scale is not finite.</summary>
    public static float Flaw(float* scales, int count)
    {
        var flaw = 0f;
        for (var i = 0; i < count; i++)
            flaw += scales[i] * 0;
        return flaw;
    }

    /// <summary>Means of columns, in four sums each.</summary>
    /// <param name="x">[row, dim].</param>
    /// <param name="rows">How many.</param>
    /// <param name="dim">Columns.</param>
    /// <param name="divisor">By what sums are divided.</param>
    /// <param name="mean">[dim].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Means<L>(float* x, int rows, int dim, int divisor, float* mean)
        where L : struct, IMixedLanes<L>
    {
        var share = L.Create((float)divisor);
        var column = 0;
        for (; column + L.Count <= dim; column += L.Count)
        {
            L s0 = L.Zero, s1 = L.Zero, s2 = L.Zero, s3 = L.Zero;
            var row = 0;
            var at = x + column;
            for (; row + 4 <= rows; row += 4, at += 4L * dim)
            {
                s0 = L.Add(s0, L.Load(at));
                s1 = L.Add(s1, L.Load(at + dim));
                s2 = L.Add(s2, L.Load(at + 2L * dim));
                s3 = L.Add(s3, L.Load(at + 3L * dim));
            }
            for (; row < rows; row++, at += dim)
                s0 = L.Add(s0, L.Load(at));
            L.Divide(L.Add(L.Add(s0, s1), L.Add(s2, s3)), share).Store(mean + column);
        }
        for (; column < dim; column++)
        {
            double sum = 0;
            for (var row = 0; row < rows; row++)
                sum += x[(long)row * dim + column];
            mean[column] = (float)(sum / divisor);
        }
    }

    /// <summary>The largest |x - mean| of columns; NaN where one is not finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Largest<L>(float* x, int rows, int dim, float* mean, float* largest)
        where L : struct, IMixedLanes<L>
    {
        var sign = L.Create(int.MaxValue);
        var column = 0;
        for (; column + L.Count <= dim; column += L.Count)
        {
            L shift = L.Load(mean + column), t0 = L.Zero, t1 = L.Zero, odd = L.Zero;
            var row = 0;
            var at = x + column;
            for (; row + 2 <= rows; row += 2, at += 2L * dim)
            {
                L a = L.Subtract(L.Load(at), shift), b = L.Subtract(L.Load(at + dim), shift);
                t0 = L.Max(t0, L.And(sign, a));
                t1 = L.Max(t1, L.And(sign, b));
                odd = L.MultiplyAdd(a, L.Zero, L.MultiplyAdd(b, L.Zero, odd));
            }
            if (row < rows)
            {
                var a = L.Subtract(L.Load(at), shift);
                t0 = L.Max(t0, L.And(sign, a));
                odd = L.MultiplyAdd(a, L.Zero, odd);
            }
            L.Add(L.Max(t0, t1), odd).Store(largest + column);
        }
        for (; column < dim; column++)
        {
            float top = 0;
            for (var row = 0; row < rows; row++)
            {
                var value = x[(long)row * dim + column] - mean[column];
                top = Math.Max(top, Math.Abs(value)) + value * 0;
            }
            largest[column] = top;
        }
    }
}
