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
    /// <param name="tile">[time, width].</param>
    /// <param name="width">Channels of the tile.</param>
    public static void Read(float* source, long channelStride, long timeStride, int channels, int steps, float* tile, int width)
    {
        if (channels < width)
            new Span<float>(tile, steps * width).Clear();
        if (channelStride == 1)
        {
            for (var t = 0; t < steps; t++)
                new Span<float>(source + t * timeStride, channels).CopyTo(new Span<float>(tile + t * width, channels));
            return;
        }
        Transpose(source, channelStride, channels, steps, tile, width);
    }

    /// <summary>Writes a tile's real channels.</summary>
    /// <param name="tile">[time, width].</param>
    /// <param name="width">Channels of the tile.</param>
    /// <param name="channels">How many of them are real.</param>
    /// <param name="steps">How many steps.</param>
    /// <param name="target">The first channel's first step.</param>
    /// <param name="channelStride">From one channel to the next.</param>
    /// <param name="timeStride">From one step to the next; one of the strides is 1.</param>
    public static void Write(float* tile, int width, int channels, int steps, float* target, long channelStride, long timeStride)
    {
        if (channelStride == 1)
        {
            for (var t = 0; t < steps; t++)
                new Span<float>(tile + t * width, channels).CopyTo(new Span<float>(target + t * timeStride, channels));
            return;
        }
        Transpose(tile, width, steps, channels, target, channelStride);
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
    /// <param name="tile">[time, width].</param>
    /// <param name="bias">The block's bias, whole vectors; null for none.</param>
    /// <param name="softplus">Whether softplus follows.</param>
    /// <param name="rates">Where the slope of softplus is wanted, of the same size; null elsewhere.</param>
    /// <param name="steps">How many steps.</param>
    /// <typeparam name="V">The vector.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Step<V>(float* tile, float* bias, bool softplus, float* rates, int steps)
        where V : struct, ILanes<V>
    {
        if (bias == null && !softplus)
            return;
        var width = 2 * V.Count;
        for (var i = 0; i < width; i += V.Count)
        {
            var shift = bias == null ? V.Zero : V.Load(bias + i);
            for (var at = i; at < steps * width; at += width)
            {
                var x = V.Load(tile + at) + shift;
                if (!softplus)
                {
                    x.Store(tile + at);
                    continue;
                }
                VectorMath.Softplus(x).Store(tile + at);
                if (rates != null)
                    VectorMath.Sigmoid(x).Store(rates + at);
            }
        }
    }
}
