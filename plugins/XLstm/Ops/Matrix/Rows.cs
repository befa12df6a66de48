using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.XLstm.Ops.Matrix;

/// <summary>Loops over rows of numbers in cache; widths are whole vectors unless it says otherwise.</summary>
internal static unsafe class Rows
{
    /// <summary>0, 1, 2 and so on: numbers of lanes.</summary>
    public static V Lanes<V>()
        where V : struct, ILanes<V>
    {
        var numbers = stackalloc float[V.Count];
        for (var i = 0; i < V.Count; i++)
            numbers[i] = i;
        return V.Load(numbers);
    }

    /// <summary>The vector with zeros from lane <paramref name="count"/> on; <paramref name="lanes"/> as <see cref="Lanes"/> gives them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V OnlyFirst<V>(V a, int count, V lanes)
        where V : struct, ILanes<V> => V.WhereGreater(V.Create(count), lanes, a, V.Zero);

    /// <summary>row · factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale<V>(float* row, long width, float factor)
        where V : struct, ILanes<V>
    {
        var wide = V.Create(factor);
        for (var i = 0L; i < width; i += V.Count)
            (V.Load(row + i) * wide).Store(row + i);
    }

    /// <summary>row ⊙ other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<V>(float* row, float* other, int width)
        where V : struct, ILanes<V>
    {
        for (var i = 0; i < width; i += V.Count)
            (V.Load(row + i) * V.Load(other + i)).Store(row + i);
    }

    /// <summary>row + factor · other, of any width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled<V>(float* row, float factor, float* other, int width)
        where V : struct, ILanes<V>
    {
        var wide = V.Create(factor);
        var i = 0;
        for (; i + V.Count <= width; i += V.Count)
            V.MultiplyAdd(wide, V.Load(other + i), V.Load(row + i)).Store(row + i);
        for (; i < width; i++)
            row[i] += factor * other[i];
    }

    /// <summary>The sum of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Sum<V>(float* row, int width)
        where V : struct, ILanes<V>
    {
        var sum = V.Zero;
        for (var i = 0; i < width; i += V.Count)
            sum += V.Load(row + i);
        return V.Sum(sum);
    }

    /// <summary>a · b, of any width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot<V>(float* a, float* b, long width)
        where V : struct, ILanes<V>
    {
        var sum = V.Zero;
        var i = 0L;
        for (; i + V.Count <= width; i += V.Count)
            sum = V.MultiplyAdd(V.Load(a + i), V.Load(b + i), sum);
        var total = V.Sum(sum);
        for (; i < width; i++)
            total += a[i] * b[i];
        return total;
    }

    /// <summary>A short row, of any width: less than a call of the runtime's copy.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy<V>(float* source, float* target, int width)
        where V : struct, ILanes<V>
    {
        var i = 0;
        for (; i + V.Count <= width; i += V.Count)
            V.Load(source + i).Store(target + i);
        for (; i < width; i++)
            target[i] = source[i];
    }

    /// <summary>Rows of any width into rows with zeros up to <paramref name="padded"/>; all zero where the source is null.</summary>
    public static void Load(float* source, int rows, int width, float* target, int padded)
    {
        for (var i = 0L; i < rows; i++)
        {
            var row = new Span<float>(target + i * padded, padded);
            row.Clear();
            if (source != null)
                new Span<float>(source + i * width, width).CopyTo(row);
        }
    }

    /// <summary>The rows themselves where their width is whole vectors; otherwise a copy with zeros behind.</summary>
    public static float* Padded(float* source, int rows, int width, float* copy, int padded)
    {
        if (width == padded)
            return source;
        Load(source, rows, width, copy, padded);
        return copy;
    }

    /// <summary>Padded rows into rows of any width.</summary>
    public static void Store(float* source, int rows, int width, int padded, float* target)
    {
        for (var i = 0L; i < rows; i++)
            new Span<float>(source + i * padded, width).CopyTo(new Span<float>(target + i * width, width));
    }
}
