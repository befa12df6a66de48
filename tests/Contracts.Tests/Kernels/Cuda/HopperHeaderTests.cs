using System.Runtime.InteropServices;
using Zoo.CudaEmulation;
using Zoo.Kernels.Cuda;

namespace Zoo.Tests.Kernels.Cuda;

/// <summary>
/// What hopper.cuh says of itself: layouts of rows in shared memory and of results, barriers that count bytes. On the emulator, and under the category
/// Gpu on a card.
/// </summary>
public sealed class HopperHeaderTests
{
    private const int Rows = 64;

    private static readonly float[] Numbers = [.. Enumerable.Range(0, 128).Select(i => i * 0.5f)];

    [TestCase(64, 64, CudaSchedule.Ascending), TestCase(128, 128, CudaSchedule.Shuffled)]
    public void GroupProduct_OfWholeNumbers_IsExact(int rowBytes, int columns, CudaSchedule schedule) => CheckWholeNumbers(rowBytes, columns, new CudaEmulator(90, schedule));

    [TestCase(64, 64), TestCase(64, 72), TestCase(128, 128), TestCase(128, 136)]
    public void GroupProduct_OfFp8_IsTheSum(int rowBytes, int columns) => CheckFp8(rowBytes, columns, new CudaEmulator(90, CudaSchedule.Descending));

    [Test, Category("Gpu")]
    public void GroupProducts_OnACard_AreTheSame()
    {
        if (CudaDevices.WhyNone() is { } why)
            Assert.Ignore($"{why}.");
        var card = CudaDevices.Open();
        if (card.Architecture != 90 || card.WhyNoCompiler is not null)
            Assert.Ignore(card.WhyNoCompiler ?? $"{card.Name} is no Hopper card.");
        CheckWholeNumbers(128, 128, card);
        CheckFp8(64, 72, card);
    }

    [Test]
    public void GroupProduct_NotWaitedFor_IsNaN()
    {
        var (a, b) = (Bytes(Rows * 64, 1, Fp8), Bytes(Rows * 64, 2, Fp8));
        Assert.That(Multiply("group_not_waited_for", a, b, 64, 64, new CudaEmulator(90, CudaSchedule.Ascending), swapsA: false), Is.All.NaN);
    }

    [Test]
    public void Ring_OfBulkCopies_KeepsTheOrder([Values] CudaSchedule schedule) =>
        Assert.That(Ring("ring_right", schedule), Is.EqualTo(Numbers));

    [Test]
    public void Ring_NotWaitedFor_IsNaN() => Assert.That(Ring("ring_not_waited_for", CudaSchedule.Ascending)[..32], Is.All.NaN);

    [Test]
    public void Ring_ThatWaitsForBytesThatNobodyCopies_IsADeadlock() =>
        Assert.That(() => Ring("ring_that_waits_for_more", CudaSchedule.Ascending), Throws.TypeOf<EmulationFaultException>().With.Message.Contains("never ends"));

    private static float[] Ring(string kernel, CudaSchedule schedule) =>
        EmulatedKernel.Run("Hopper.cu", kernel, 1, 32, array => [array(Numbers), array(new float[128])], sharedBytes: 256 + 32, schedule)[1];

    private static void CheckWholeNumbers(int rowBytes, int columns, ICudaDevice device)
    {
        var (a, b) = (Bytes(Rows * rowBytes, 3, r => (byte)r.Next(256)), Bytes(columns * rowBytes, 4, r => (byte)r.Next(256)));
        Assert.That(Multiply($"group_s8_{rowBytes}_{columns}", a, b, rowBytes, columns, device, swapsA: true), Is.EqualTo(Product(a, b, rowBytes, columns, x => (sbyte)x)));
    }

    private static void CheckFp8(int rowBytes, int columns, ICudaDevice device)
    {
        var (a, b) = (Bytes(Rows * rowBytes, 5, Fp8), Bytes(columns * rowBytes, 6, Fp8));
        Assert.That(
            Multiply($"group_e4m3_{rowBytes}_{columns}", a, b, rowBytes, columns, device, swapsA: false), Is.EqualTo(Product(a, b, rowBytes, columns, ValueOfFp8)).Within(1e-3));
    }

    private static float[] Multiply(string kernel, byte[] a, byte[] b, int rowBytes, int columns, ICudaDevice device, bool swapsA)
    {
        EmulatedOp.Require();
        return EmulatedKernel.Run("Hopper.cu", kernel, 1, 128,
            array => [array(Floats(swapsA ? Swapped(a, rowBytes) : a)), array(Floats(Swapped(b, rowBytes))), array(new float[Rows * columns])],
            sharedBytes: ((Rows + columns) * rowBytes) + 8, device: device)[2];
    }

    /// <summary>Chunks of 16 bytes where the header says that they lie.</summary>
    private static byte[] Swapped(byte[] rows, int rowBytes)
    {
        var swapped = new byte[rows.Length];
        for (var i = 0; i < rows.Length; i += 16)
        {
            var (row, chunk) = (i / rowBytes, i % rowBytes / 16);
            var place = chunk ^ (rowBytes == 128 ? row % 8 : row / 2 % 4);
            rows.AsSpan(i, 16).CopyTo(swapped.AsSpan((row * rowBytes) + (place * 16)));
        }
        return swapped;
    }

    private static float[] Product(byte[] a, byte[] b, int length, int columns, Func<byte, float> value)
    {
        var product = new float[Rows * columns];
        for (var i = 0; i < product.Length; i++)
        {
            double sum = 0;
            for (var k = 0; k < length; k++)
                sum += (double)value(a[(i / columns * length) + k]) * value(b[(i % columns * length) + k]);
            product[i] = (float)sum;
        }
        return product;
    }

    private static byte[] Bytes(int count, int seed, Func<Random, byte> next)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => next(random))];
    }

    /// <summary>Of moderate size, so that cards' sums lose nothing that a test would see.</summary>
    private static byte Fp8(Random random) => (byte)((random.Next(2) << 7) | random.Next(0x28, 0x40));

    private static float ValueOfFp8(byte bits) => (float)((bits >= 128 ? -1 : 1) * (8 + (bits & 7)) * Math.Pow(2, ((bits >> 3) & 15) - 10));

    private static float[] Floats(byte[] bytes) => MemoryMarshal.Cast<byte, float>(bytes).ToArray();
}
