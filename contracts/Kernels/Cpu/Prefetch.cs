using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Zoo.Kernels.Cpu;

/// <summary>Asks for memory that a loop comes to soon, where the hardware does not foresee it. Does nothing on machines for which .NET has no such instruction.</summary>
public static unsafe class Prefetch
{
    private const int LineFloats = 16;

    /// <summary>Into the first cache: a row, say. Of addresses that nothing lies at nothing comes.</summary>
    /// <param name="row">From here on.</param>
    /// <param name="width">How many numbers.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Row(float* row, int width)
    {
        if (!Sse.IsSupported)
            return;
        for (var i = 0; i < width; i += LineFloats)
            Sse.Prefetch0(row + i);
    }

    /// <summary>Into the first cache: a few numbers of each of several rows.</summary>
    /// <param name="start">Of the first row.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="row">From one to the next.</param>
    /// <param name="width">How many numbers of each.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Column(float* start, int rows, long row, int width)
    {
        for (var i = 0; Sse.IsSupported && i < rows; i++, start += row)
        {
            Sse.Prefetch0(start);
            if (width > LineFloats)
                Sse.Prefetch0(start + LineFloats);
        }
    }

    /// <summary>Into the second cache: for more than the first one holds.</summary>
    /// <param name="start">From here on.</param>
    /// <param name="count">How many numbers.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Stretch(float* start, int count)
    {
        if (!Sse.IsSupported)
            return;
        for (var i = 0; i < count; i += LineFloats)
            Sse.Prefetch1(start + i);
    }
}
