using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Sums of columns, in blocks of rows, in order.</summary>
internal readonly unsafe struct LinearSums(int rows, int columns, float* source, float* sums) : ISimdKernel
{
    private const int RowsOfABlock = 128;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run<V>()
        where V : struct, ILanes<V>
    {
        for (var column = 0; column < columns; column += V.Count)
        {
            var count = Math.Min(V.Count, columns - column);
            var total = V.Zero;
            for (var first = 0; first < rows; first += RowsOfABlock)
            {
                var part = V.Zero;
                for (var row = first; row < Math.Min(rows, first + RowsOfABlock); row++)
                {
                    var from = source + (long)row * columns + column;
                    part += count == V.Count ? V.Load(from) : V.LoadPartial(from, count);
                }
                total += part;
            }
            total.StorePartial(sums + column, count);
        }
    }
}
