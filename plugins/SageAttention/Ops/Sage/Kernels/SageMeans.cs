using System.Numerics;
using System.Runtime.CompilerServices;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Means of columns, bit for bit those of libtorch on the CPU.</summary>
/// <remarks>
/// A mean that differs in its last bit moves one integer in some hundred thousand across a rounding boundary, and recorded integers must be exact. So rows
/// are added as libtorch adds them: sixteen after another, such sums of sixteen after another, and so on; and in the columns behind the last whole
/// group of 32 every fourth row by itself.
/// </remarks>
internal static unsafe class SageMeans
{
    private const int GroupOfColumns = 32, FewColumns = 8, Chains = 4, LeastPower = 4, Levels = 4;

    /// <param name="x">[row, dim].</param>
    /// <param name="rows">How many.</param>
    /// <param name="dim">Columns.</param>
    /// <param name="divisor">By what sums are divided.</param>
    /// <param name="mean">[dim].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<L>(float* x, int rows, int dim, int divisor, float* mean)
        where L : struct, IMixedLanes<L>
    {
        var share = L.Create((float)divisor);
        var power = Power(rows);
        var inVectors = dim < FewColumns ? 0 : dim / GroupOfColumns * GroupOfColumns;
        for (var from = 0; from < inVectors; from += 2 * L.Count)       // whole cache lines, from 256 bits on
        {
            L a0 = L.Zero, a1 = L.Zero, a2 = L.Zero, a3 = L.Zero, b0 = L.Zero, b1 = L.Zero, b2 = L.Zero, b3 = L.Zero;
            float* at = x + from, then = at + L.Count;
            var row = 0;
            while (row + (1 << power) <= rows)
            {
                for (var end = row + (1 << power); row < end; row++, at += dim, then += dim)
                {
                    a0 = L.Add(a0, L.Load(at));
                    b0 = L.Add(b0, L.Load(then));
                }
                (a1, b1, a0, b0) = (L.Add(a1, a0), L.Add(b1, b0), L.Zero, L.Zero);
                if (!Ends(row, 1, power))
                    continue;
                (a2, b2, a1, b1) = (L.Add(a2, a1), L.Add(b2, b1), L.Zero, L.Zero);
                if (!Ends(row, 2, power))
                    continue;
                (a3, b3, a2, b2) = (L.Add(a3, a2), L.Add(b3, b2), L.Zero, L.Zero);
            }
            for (; row < rows; row++, at += dim, then += dim)
            {
                a0 = L.Add(a0, L.Load(at));
                b0 = L.Add(b0, L.Load(then));
            }
            L.Divide(L.Add(L.Add(L.Add(a0, a1), a2), a3), share).Store(mean + from);
            L.Divide(L.Add(L.Add(L.Add(b0, b1), b2), b3), share).Store(mean + from + L.Count);
        }
        var inOneChain = dim < FewColumns ? dim / Chains * Chains : inVectors;
        for (var column = inVectors; column < dim; column++)
            mean[column] = (column < inOneChain ? Chain(x + column, rows, dim) : InChains(x + column, rows, dim)) / divisor;
    }

    /// <summary>Means of columns, one row added after the other; as <see cref="Run"/> otherwise.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void InOrder<L>(float* x, int rows, int dim, int divisor, float* mean)
        where L : struct, IMixedLanes<L>
    {
        var share = L.Create((float)divisor);
        var column = 0;
        for (; column + L.Count <= dim; column += L.Count)
        {
            var sum = L.Zero;
            var at = x + column;
            for (var row = 0; row < rows; row++, at += dim)
                sum = L.Add(sum, L.Load(at));
            L.Divide(sum, share).Store(mean + column);
        }
        for (; column < dim; column++)
        {
            var sum = 0f;
            for (var row = 0; row < rows; row++)
                sum += x[(long)row * dim + column];
            mean[column] = sum / divisor;
        }
    }

    /// <summary>A column of which every fourth row is summed by itself.</summary>
    private static float InChains(float* x, int rows, long apart)
    {
        var sum = Chain(x, rows / Chains, Chains * apart);
        for (var row = rows / Chains * Chains; row < rows; row++)
            sum += x[row * apart];
        for (var chain = 1; chain < Chains; chain++)
            sum += Chain(x + chain * apart, rows / Chains, Chains * apart);
        return sum;
    }

    private static float Chain(float* x, int rows, long apart)
    {
        var sums = stackalloc float[Levels];
        new Span<float>(sums, Levels).Clear();
        var power = Power(rows);
        var row = 0;
        while (row + (1 << power) <= rows)
        {
            for (var end = row + (1 << power); row < end; row++)
                sums[0] += x[row * apart];
            for (var level = 1; level < Levels; level++)
            {
                sums[level] += sums[level - 1];
                sums[level - 1] = 0;
                if (!Ends(row, level, power))
                    break;
            }
        }
        for (; row < rows; row++)
            sums[0] += x[row * apart];
        return sums[0] + sums[1] + sums[2] + sums[3];
    }

    /// <summary>How many sums are added one after another, as a power of two.</summary>
    private static int Power(int rows) => Math.Max(LeastPower, (rows <= 2 ? 1 : BitOperations.Log2((uint)rows - 1) + 1) / Levels);

    /// <summary>Whether a level is full after <paramref name="row"/> rows, so that it goes to the next.</summary>
    private static bool Ends(int row, int level, int power) => (row & (((1 << power) - 1) << (level * power))) == 0;
}
