using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Zoo.Kernels.Cpu;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>Moves a block of channels between a tensor and a tile [time, channel] in the first cache.</summary>
internal static unsafe class ScanTiles
{
    /// <summary>Fills a tile; channels beyond <paramref name="channels"/> are zeros.</summary>
    /// <param name="source">The first channel's first step.</param>
    /// <param name="channelStride">From one channel to the next.</param>
    /// <param name="timeStride">From one step to the next; one of the strides is 1.</param>
    /// <param name="channels">How many channels there are.</param>
    /// <param name="steps">How many steps.</param>
    /// <param name="tile">[time, two vectors of channels].</param>
    /// <typeparam name="V">The vector.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Read<V>(float* source, long channelStride, long timeStride, int channels, int steps, float* tile)
        where V : struct, ILanes<V>
    {
        var width = 2 * V.Count;
        if (channels < width)
            new Span<float>(tile, steps * width).Clear();
        if (channelStride != 1)
        {
            Transpose(source, channelStride, channels, steps, tile, width);
            return;
        }
        for (var t = 0; t < steps; t++, source += timeStride, tile += width)
        {
            if (channels == width)
            {
                V.Load(source).Store(tile);
                V.Load(source + V.Count).Store(tile + V.Count);
            }
            else
            {
                new Span<float>(source, channels).CopyTo(new Span<float>(tile, channels));
            }
        }
    }

    /// <summary>Writes a tile's real channels.</summary>
    /// <param name="tile">[time, two vectors of channels].</param>
    /// <param name="channels">How many of them are real.</param>
    /// <param name="steps">How many steps.</param>
    /// <param name="target">The first channel's first step.</param>
    /// <param name="channelStride">From one channel to the next.</param>
    /// <param name="timeStride">From one step to the next; one of the strides is 1.</param>
    /// <typeparam name="V">The vector.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Write<V>(float* tile, int channels, int steps, float* target, long channelStride, long timeStride)
        where V : struct, ILanes<V>
    {
        var width = 2 * V.Count;
        if (channelStride != 1)
        {
            // Four channels at a time: lines a power of two apart would drive each other out of the cache before they are full.
            for (var channel = 0; channel < channels; channel += 4)
                Transpose(tile + channel, width, steps, Math.Min(4, channels - channel), target + channel * channelStride, channelStride);
            return;
        }
        for (var t = 0; t < steps; t++, target += timeStride, tile += width)
        {
            if (channels == width)
            {
                V.Load(tile).Store(target);
                V.Load(tile + V.Count).Store(target + V.Count);
            }
            else
            {
                new Span<float>(tile, channels).CopyTo(new Span<float>(target, channels));
            }
        }
    }

    /// <summary>
    /// Asks for what a block's tiles will be read from, or written to, later: the pieces lie too far apart for the processor to guess them. Into
    /// the second cache, since lines a power of two apart have few places in the first.
    /// </summary>
    /// <param name="s">Sizes.</param>
    /// <param name="batch">Which sequence.</param>
    /// <param name="panel">Which panel.</param>
    /// <param name="block">Which block of it; nothing happens where it has no such one.</param>
    /// <param name="t">The first step of a chunk.</param>
    /// <param name="array">An array over [batch, channel, time] in either layout; null for none.</param>
    public static void Prefetch(in ScanSizes s, int batch, int panel, int block, int t, float* array)
    {
        const int lineBytes = 64, line = lineBytes / sizeof(float);
        var channel = block * s.Width;
        var channels = Math.Min(s.Width, s.ChannelCount(panel) - channel);
        if (!Sse.IsSupported || array == null || channels <= 0)
            return;
        var steps = Math.Min(ScanSizes.ChunkLength, s.Length - t);
        var (rows, length, stride) = s.TimeLast ? (channels, steps, s.ChannelStride) : (steps, channels, s.TimeStride);
        var row = array + s.At(batch, s.FirstChannel(panel) + channel) + t * s.TimeStride;
        for (var i = 0; i < rows; i++, row += stride)
        {
            var aligned = (float*)((nint)row & -lineBytes);
            for (var at = aligned; at < row + length; at += line)
                Sse.Prefetch1(at);
        }
    }

    /// <summary>target[j, i] = source[i, j] for i below <paramref name="rows"/> and j below <paramref name="columns"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(float* source, long sourceStride, int rows, int columns, float* target, long targetStride)
    {
        var i = 0;
        for (; i + 4 <= rows; i += 4)
        {
            float* s0 = source + i * sourceStride, s1 = s0 + sourceStride, s2 = s1 + sourceStride, s3 = s2 + sourceStride;
            var j = 0;
            if (Sse.IsSupported)
            {
                for (; j + 4 <= columns; j += 4)
                {
                    var (r0, r1, r2, r3) = (Vector128.Load(s0 + j), Vector128.Load(s1 + j), Vector128.Load(s2 + j), Vector128.Load(s3 + j));
                    var (a, b) = (Sse.UnpackLow(r0, r1), Sse.UnpackHigh(r0, r1));
                    var (c, d) = (Sse.UnpackLow(r2, r3), Sse.UnpackHigh(r2, r3));
                    var to = target + j * targetStride + i;
                    Sse.MoveLowToHigh(a, c).Store(to);
                    Sse.MoveHighToLow(c, a).Store(to + targetStride);
                    Sse.MoveLowToHigh(b, d).Store(to + 2 * targetStride);
                    Sse.MoveHighToLow(d, b).Store(to + 3 * targetStride);
                }
            }
            for (; j < columns; j++)
                Vector128.Create(s0[j], s1[j], s2[j], s3[j]).Store(target + j * targetStride + i);
        }
        for (; i < rows; i++)
        {
            for (var j = 0; j < columns; j++)
                target[j * targetStride + i] = source[i * sourceStride + j];
        }
    }

    /// <summary>delta with its bias and softplus, in place.</summary>
    /// <param name="tile">[time, two vectors of channels].</param>
    /// <param name="bias">The block's bias, whole vectors; null for none.</param>
    /// <param name="softplus">Whether softplus follows.</param>
    /// <param name="rates">Where the slope of softplus is wanted, of the same size; null elsewhere.</param>
    /// <param name="reach">Is filled with the largest absolute value of each channel, NaN passed over; two vectors.</param>
    /// <param name="steps">How many steps.</param>
    /// <typeparam name="V">The vector.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Step<V>(float* tile, float* bias, bool softplus, float* rates, float* reach, int steps)
        where V : struct, ILanes<V>
    {
        var width = 2 * V.Count;
        for (var i = 0; i < width; i += V.Count)
        {
            var shift = bias == null ? V.Zero : V.Load(bias + i);
            var largest = V.Zero;
            for (var at = i; at < steps * width; at += width)
            {
                var x = V.Load(tile + at) + shift;
                if (softplus)
                {
                    var e = VectorMath.ExpBounded(-V.Abs(x));
                    if (rates != null)
                        Slope(x, e).Store(rates + at);
                    x = Softplus(x, e);
                }
                x.Store(tile + at);
                largest = V.Max(V.Abs(x), largest);     // of NaN and a number the second is taken
            }
            largest.Store(reach + i);
        }
    }

    /// <summary>log(1 + e^x), given e = e^-|x|.</summary>
    /// <remarks>
    /// With s = e / (2 + e), log(1 + e) = 2 atanh(s) = 2 s P(s²): P is our fit of degree 4 for s² up to 1/9, within 7.7e-9, and 2.6 ulp in float32 with its
    /// roundings.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Softplus<V>(V x, V e)
        where V : struct, ILanes<V>
    {
        var s = e / (V.Create(2) + e);
        var square = s * s;
        var p = V.MultiplyAdd(square, V.Create(0.140788898f), V.Create(0.139825791f));
        p = V.MultiplyAdd(p, square, V.Create(0.200122982f));
        p = V.MultiplyAdd(p, square, V.Create(0.333331615f));
        p = V.MultiplyAdd(p, square, V.Create(1));
        return V.MultiplyAdd(s + s, p, V.Max(x, V.Zero));
    }

    /// <summary>Its slope, σ(x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Slope<V>(V x, V e)
        where V : struct, ILanes<V>
    {
        var larger = V.Create(1) / (V.Create(1) + e);
        return V.WhereGreater(V.Zero, x, e * larger, larger);
    }
}
