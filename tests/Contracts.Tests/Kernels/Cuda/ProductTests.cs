using Zoo.CudaEmulation;
using Zoo.Kernels.Cuda;

namespace Zoo.Tests.Kernels.Cuda;

/// <summary>product.cuh against float64, and its host side.</summary>
public sealed class ProductTests
{
    private const string File = "Product.cu";

    /// <summary>Of the sum of magnitudes. Measured, emulated: 1.1e-7.</summary>
    private const double Tolerance = 2e-7;

    [Test]
    public void Product_AnyLayoutAndSize_IsThatOfFloat64(
        [Values("rows_rows", "rows_columns", "columns_rows", "columns_columns")] string layout, [Values("large", "small")] string tiles,
        [Values(1, 2)] int slices)
    {
        var worst = 0.0;
        foreach (var (rows, columns, steps) in new[] { (1, 1, 1), (5, 68, 20), (130, 67, 33) })
        {
            var random = new Random(rows);
            float[] a = Draw(rows * steps), b = Draw(columns * steps), c = new float[slices * rows * columns];
            Array.Fill(c, float.NaN);
            var slice = (steps + slices - 1) / slices;
            var made = Launch($"product_{layout}_{tiles}", a, b, c, rows, columns, steps, slice, slices);
            for (var row = 0; row < rows; row++)
            {
                for (var column = 0; column < columns; column++)
                {
                    double expected = 0, size = 0, actual = 0;
                    for (var k = 0; k < steps; k++)
                    {
                        var product = (double)a[layout.StartsWith("rows", StringComparison.Ordinal) ? row * steps + k : k * rows + row]
                            * b[layout.EndsWith("rows", StringComparison.Ordinal) ? column * steps + k : k * columns + column];
                        (expected, size) = (expected + product, size + Math.Abs(product));
                    }
                    for (var s = 0; s < slices; s++)
                        actual += s * slice < steps ? made[(s * rows + row) * columns + column] : 0;
                    worst = Math.Max(worst, Math.Abs(actual - expected) / size);
                    Assert.That(actual, Is.EqualTo(expected).Within(Tolerance * size), $"{rows} × {columns} × {steps}: row {row}, column {column}");
                }
            }

            float[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() * 2 - 1))];
        }
        TestContext.Out.WriteLine($"largest difference {worst:E1} of the sum of magnitudes");
    }

    [Test]
    public void Product_NaNInARow_IsNaNThereAlone()
    {
        const int size = 20;
        var (a, b) = (Enumerable.Repeat(1f, size * size).ToArray(), Enumerable.Repeat(1f, size * size).ToArray());
        a[3 * size + 7] = float.NaN;
        var made = Launch("product_rows_rows_small", a, b, new float[size * size], size, size, size, size, slices: 1);
        for (var i = 0; i < made.Length; i++)
            Assert.That(made[i], i / size == 3 ? Is.NaN : Is.EqualTo(size), $"row {i / size}");
    }

    /// <summary>Nothing is left out but the last place, and nothing at all of numbers of 22 bits and fewer.</summary>
    [Test]
    public void Split_AnyNumber_AddsUpToIt()
    {
        var random = new Random(1);
        float[] x =
        [
            0, 1, -1, 1.5f, 4194303, 1 + 1 / 2048f, 1 + 3 / 4096f, .. Enumerable.Range(0, 2000).Select(i => (float)((random.NextDouble() - 0.5) * Math.Pow(2, i % 60 - 30))),
        ];
        var r = EmulatedKernel.Run(File, "split_numbers", CudaSize.Pieces(x.Length, 256), 256, array => [array(x), array(new float[x.Length]), array(new float[x.Length]), x.Length]);
        for (var i = 0; i < x.Length; i++)
        {
            var error = Math.Abs(x[i] - ((double)r[1][i] + r[2][i]));
            Assert.That(error, Is.LessThanOrEqualTo(i < 7 ? 0 : Math.Abs(x[i]) * Math.Pow(2, -23)), $"{x[i]:R}");
        }
    }

    [TestCase(4096, 1024, 8192, 132, 3)]   // 512 tiles where 396 fit: in three slices four rounds of a third each
    [TestCase(8192, 4096, 1024, 132, 1)]
    [TestCase(64, 64, 8192, 132, 58)]      // one tile alone: until another slice spares less than a tenth
    [TestCase(64, 64, 100, 132, 1)]
    public void Slices_OfASum_KeepTheCardBusy(int rows, int columns, int steps, int multiprocessors, int expected) =>
        Assert.That(new ProductPlan(rows, columns, new CudaEmulator(90, CudaSchedule.Ascending) { MultiprocessorCount = multiprocessors }).Slices(steps), Is.EqualTo(expected));

    private static float[] Launch(string kernel, float[] a, float[] b, float[] c, int rows, int columns, int steps, int slice, int slices)
    {
        var large = kernel.EndsWith("large", StringComparison.Ordinal);
        var tiles = CudaSize.Pieces(rows, large ? 128 : 64) * CudaSize.Pieces(columns, 64);
        return EmulatedKernel.Run(
            File, kernel, new CudaSize(tiles, slices), 128, array => [array(a), array(b), array(c), rows, columns, steps, slice],
            sharedBytes: ((large ? 128 : 64) + 64) * 20 * 4 * sizeof(float))[2];
    }
}
