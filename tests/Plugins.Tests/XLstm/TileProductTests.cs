using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.Tests.XLstm;

/// <summary>At every vector width, whatever the machine's own: the wide ones are slow elsewhere, and right.</summary>
public sealed unsafe class TileProductTests
{
    private static IEnumerable<TestCaseData> Sizes =>
        from rows in new[] { 1, 2, 4, 5, 6, 7, 8, 13 }
        from vectors in new[] { 1, 2, 3, 4, 5 }
        select new TestCaseData(rows, vectors);

    [TestCaseSource(nameof(Sizes))]
    public void Run_AnyTile_EqualsFloat64(int rows, int vectors)
    {
        Product<Lanes128>(rows, vectors);
        Product<Lanes256>(rows, vectors);
        Product<Lanes512>(rows, vectors);
    }

    [TestCase(1, 1)]
    [TestCase(5, 3)]
    [TestCase(16, 16)]
    [TestCase(35, 18)]
    public void Transpose_AnySize_TurnsAndPads(int rows, int columns)
    {
        const int padding = 3;
        var random = new Random(2);
        var source = new float[rows * columns];
        foreach (ref var value in source.AsSpan())
            value = random.NextSingle();
        var target = new float[columns * (rows + padding)];
        Array.Fill(target, float.NaN);
        fixed (float* from = source, to = target)
            TileProduct.Transpose<Lanes256>(rows, columns, from, columns, to, rows + padding, rows + padding, 2);
        for (var j = 0; j < columns; j++)
        {
            for (var i = 0; i < rows + padding; i++)
                Assert.That(target[j * (rows + padding) + i], Is.EqualTo(i < rows ? 2 * source[i * columns + j] : 0));
        }
    }

    private static void Product<V>(int rows, int vectors)
        where V : struct, ILanes<V>
    {
        const int inner = 9;
        var (columns, random) = (vectors * V.Count, new Random(1));
        float[] a = Values(rows * inner), b = Values(inner * columns), c = Values(rows * columns);
        var expected = new double[rows * columns];
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < columns; j++)
            {
                expected[i * columns + j] = c[i * columns + j];
                for (var k = 0; k < inner; k++)
                    expected[i * columns + j] += (double)a[k * rows + i] * b[k * columns + j];
            }
        }
        fixed (float* pa = a, pb = b, pc = c)
            TileProduct.Run<V>(rows, columns, inner, pa, 1, rows, pb, columns, pc, columns, add: true);
        for (var i = 0; i < c.Length; i++)
            Assert.That(c[i], Is.EqualTo(expected[i]).Within(2e-6), $"{V.Count} lanes, element {i}");

        float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => 2 * random.NextSingle() - 1)];
    }
}
