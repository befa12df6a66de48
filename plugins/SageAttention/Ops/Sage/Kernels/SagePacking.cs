using System.Runtime.CompilerServices;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Lays keys and values out as <see cref="TileProducts"/> reads them.</summary>
internal static unsafe class SagePacking
{
    /// <summary>The largest whole number of a value: with <see cref="SageSoftmax.Largest"/> and a tile of keys its sums fit 31 bits.</summary>
    public const int LargestValue = 4095;

    /// <summary>Whole rows to panels: [panel of two registers of keys][group of dimensions][key].</summary>
    /// <param name="whole">[key, stride], of 32 bits: a group of dimensions each.</param>
    /// <param name="keys">How many, at most one tile's.</param>
    /// <param name="groups">Groups of dimensions.</param>
    /// <param name="stride">From a key to the next.</param>
    /// <param name="panels">Of one tile; keys that are not there become zero.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Keys<L>(int* whole, int keys, int groups, int stride, int* panels)
        where L : struct, IMixedLanes<L>
    {
        var width = 2 * L.Count;
        for (var first = 0; first < SageSizes.KeysOfATile; first += width)
        {
            var count = Math.Clamp(keys - first, 0, width);
            var panel = panels + (long)first * groups;
            for (var key = 0; key < count; key++)
            {
                var row = whole + (long)(first + key) * stride;
                for (var i = 0; i < groups; i++)
                    panel[i * width + key] = row[i];
            }
            for (var i = 0; i < groups && count < width; i++)
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

    /// <summary>Each row to bytes where it lies: what was added fits a byte then. Zeros, and what was added, behind the last up to whole fours.</summary>
    /// <param name="whole">[row, stride].</param>
    /// <param name="rows">How many.</param>
    /// <param name="stride">From a row to the next, at least one group of four bytes.</param>
    /// <param name="quads">Fours of a row.</param>
    /// <param name="offset">What is added.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Narrow(short* whole, int rows, int stride, int quads, int offset)
    {
        for (var i = 0; i < rows; i++, whole += stride)
        {
            var bytes = (byte*)whole;       // a byte's place is never behind that of its number
            var count = Math.Min(stride, 4 * quads);
            for (var j = 0; j < count; j++)
                bytes[j] = (byte)(whole[j] + offset);
            for (var j = count; j < 4 * quads; j++)
                bytes[j] = (byte)offset;
        }
    }

    /// <summary>What sums of products of bytes begin with: what the offset of one factor adds to them is taken off.</summary>
    public static void Starts(short* whole, int rows, int stride, int* starts)
    {
        for (var i = 0; i < rows; i++, whole += stride)
        {
            var sum = 0;
            for (var j = 0; j < stride; j++)
                sum += whole[j];
            starts[i] = -sum * ByteQuads<MixedLanes128>.Offset;
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

    /// <summary>The largest |x - mean| of columns; NaN where one is not finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Largest<L>(float* x, int rows, int dim, float* mean, float* largest)
        where L : struct, IMixedLanes<L>
    {
        var sign = L.Create(int.MaxValue);
        var width = 2 * L.Count;
        var column = dim < width ? 0 : dim;
        for (var next = 0; next < column; next += width)
        {
            var from = Math.Min(next, dim - width);
            L shift = L.Load(mean + from), shift1 = L.Load(mean + from + L.Count), top = L.Zero, top1 = L.Zero, odd = L.Zero, odd1 = L.Zero;
            var at = x + from;
            for (var row = 0; row < rows; row++, at += dim)
            {
                L a = L.Subtract(L.Load(at), shift), b = L.Subtract(L.Load(at + L.Count), shift1);
                top = L.Max(top, L.And(sign, a));
                top1 = L.Max(top1, L.And(sign, b));
                odd = L.MultiplyAdd(a, L.Zero, odd);
                odd1 = L.MultiplyAdd(b, L.Zero, odd1);
            }
            L.Add(top, odd).Store(largest + from);
            L.Add(top1, odd1).Store(largest + from + L.Count);
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
