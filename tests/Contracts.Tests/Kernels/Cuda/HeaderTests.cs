using System.Runtime.InteropServices;
using Zoo.CudaEmulation;
using Zoo.Kernels.Cuda;

namespace Zoo.Tests.Kernels.Cuda;

/// <summary>
/// What zoo.cuh has, against what the PTX manual says the instructions do, computed here from scratch: the C++ twins on the emulator, and the
/// instructions themselves where there is a card.
/// </summary>
[TestFixture(false)]
[TestFixture(true, Category = "Gpu")]
public sealed class HeaderTests(bool onCard)
{
    private const string File = "Header.cu";
    private const int Rows = 16, Columns = 8, RowBytes = 32;

    private ICudaDevice? _card;

    [OneTimeSetUp]
    public void Open()
    {
        if (!onCard)
            return;
        if (CudaDevices.WhyNone() is { } why)
            Assert.Ignore($"{why}.");
        _card = CudaDevices.Open();
        if (_card.WhyNoCompiler is { } none)
            Assert.Ignore($"{none}.");
    }

    // Small whole numbers: every type has them exactly, and so are their sums.
    [TestCase("multiply_tf32", 4)]
    [TestCase("multiply_bf16", 2)]
    [TestCase("multiply_fp16", 2)]
    [TestCase("multiply_s8", 1)]
    [TestCase("multiply_e4m3", 1)]
    public void Multiply_WholeNumbers_IsTheProduct(string kernel, int elementBytes)
    {
        if (kernel == "multiply_e4m3" && _card is { Architecture: < 89 })
            Assert.Ignore($"{_card.Name} has no such instruction.");
        var random = new Random(3);
        var k = RowBytes / elementBytes;
        var (a, b) = (Draw(Rows * k), Draw(Columns * k));
        var d = Run(kernel, 1, 32, array => [array(Pack(kernel, a)), array(Pack(kernel, b)), array(new float[Rows * Columns])])[2];
        for (var row = 0; row < Rows; row++)
        {
            for (var column = 0; column < Columns; column++)
            {
                var expected = Enumerable.Range(0, k).Sum(i => a[row * k + i] * b[column * k + i]);
                var actual = kernel == "multiply_s8" ? BitConverter.SingleToInt32Bits(d[row * Columns + column]) : d[row * Columns + column];
                Assert.That(actual, Is.EqualTo(expected), $"row {row}, column {column}");
            }
        }

        int[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(-8, 9))];
    }

    [Test]
    public void LoadMatrixTransposed_RowsOfB_IsTheProduct()
    {
        var random = new Random(4);
        var a = Enumerable.Range(0, 256).Select(_ => random.Next(-8, 9)).ToArray();
        var b = Enumerable.Range(0, 128).Select(_ => random.Next(-8, 9)).ToArray();   // [16][8]
        var d = Run(
            "multiply_transposed", 1, 32, array => [array(Pack("bf16", a)), array(Pack("bf16", b)), array(new float[128 + 32])])[2];
        for (var i = 0; i < 128; i++)
            Assert.That(d[i], Is.EqualTo(Enumerable.Range(0, 16).Sum(k => a[i / 8 * 16 + k] * b[k * 8 + i % 8])), $"element {i}");
        Assert.That(d[128..], Is.All.EqualTo(1));
    }

    [TestCase(80)]
    [TestCase(90)]
    public void Convert_AnyNumber_IsRoundedToTheNearest(int architecture)
    {
        var random = new Random(5);
        var grid = Enumerable.Range(0, 256).Select(i => E4M3((byte)i)).Where(float.IsFinite).Order().ToArray();
        float[] x =
        [
            0, -0f, 1, 448, 449, 463.9f, 464, 464.1f, 1e9f, -1e9f, float.PositiveInfinity, float.NegativeInfinity, float.NaN, float.Epsilon, 1e-40f,
            65504, 65519, 65520, 65536, 6.1e-5f, 5.9e-8f, 2.9e-8f, 3.0e-8f, 3.4e38f, float.MaxValue, 0.0146484375f,
            .. grid, .. grid.Zip(grid.Skip(1), (p, q) => (p + q) / 2), .. grid.Zip(grid.Skip(1), (p, q) => MathF.BitIncrement((p + q) / 2)),
            .. Enumerable.Range(0, 3000).Select(_ => (random.NextSingle() - 0.5f) * MathF.Pow(2, random.Next(-30, 20))),
        ];
        var results = Run(
            "convert", CudaSize.Pieces(x.Length, 128), 128,
            array => [array(x), .. Enumerable.Range(0, 5).Select(_ => (CudaArgument)array(new float[x.Length])), x.Length], architecture: architecture);
        for (var i = 0; i < x.Length; i++)
        {
            Assert.That(results[1][i], Is.EqualTo(BFloat16(x[i])), $"bf16 of {x[i]:R}");
            Assert.That(results[2][i], Is.EqualTo((float)(Half)x[i]), $"fp16 of {x[i]:R}");
            Assert.That(results[3][i], Is.EqualTo(NearestE4M3(x[i], grid)), $"e4m3 of {x[i]:R}");
            Assert.That(results[4][i], Is.EqualTo(Tf32(x[i])), $"tf32 of {x[i]:R}");
        }
        Assert.That(results[5], Is.All.EqualTo(1), "packed as one by one");
    }

    [Test]
    public void Decode_EveryNumber_IsThat()
    {
        var results = Run("decode", 512, 128, array => [array(new float[256]), array(new float[65536]), array(new float[65536])]);
        for (var i = 0; i < 256; i++)
            Assert.That(results[0][i], Is.EqualTo(E4M3((byte)i)), $"e4m3 {i:x}");
        for (var i = 0; i < 65536; i++)
        {
            Assert.That(results[1][i], Is.EqualTo((float)BitConverter.UInt16BitsToHalf((ushort)i)), $"fp16 {i:x}");
            Assert.That(results[2][i], Is.EqualTo(BitConverter.Int32BitsToSingle(i << 16)), $"bf16 {i:x}");
        }
    }

    [Test]
    public void Functions_OverTheirRange_AreClose()
    {
        float[] x = [.. Enumerable.Range(0, 2001).Select(i => (i - 1000) * 0.08f), 1e-3f, -1e-3f, float.NaN, float.PositiveInfinity, float.NegativeInfinity];
        var results = Run(
            "functions", CudaSize.Pieces(x.Length, 128), 128,
            array => [array(x), .. Enumerable.Range(0, 6).Select(_ => (CudaArgument)array(new float[x.Length])), array(new float[3 * x.Length]), x.Length]);
        Func<double, double> sigmoid = v => 1 / (1 + Math.Exp(-v)), softplus = v => v < -15 ? Math.Exp(v) * (1 - Math.Exp(v) / 2) : v > 40 ? v : Math.Log(1 + Math.Exp(v));
        for (var i = 0; i < x.Length; i++)
        {
            double v = x[i];
            Close(results[1][i], Math.Exp(v), 6e-6, "exp");   // |x| 2^-24, and x goes to 80
            if (v > 0)
                Close(results[2][i], Math.Log(v), 1e-6, "log", absolute: 3e-7);
            Close(results[3][i], sigmoid(v), 6e-6, "sigmoid");
            Close(results[4][i], double.IsNegativeInfinity(v) ? double.NaN : v * sigmoid(v), 6e-6, "silu");
            Close(results[5][i], softplus(v), 6e-6, "softplus");
            Close(results[6][i], Math.Tanh(v), onCard ? 1e-3 : 1e-6, "tanh");   // 2^-11 on a card
            Close(results[7][3 * i], sigmoid(v), 1e-6, "exact sigmoid");
            Close(results[7][3 * i + 1], double.IsNegativeInfinity(v) ? double.NaN : v * sigmoid(v), 1e-6, "exact silu");
            Close(results[7][3 * i + 2], softplus(v), 1e-6, "exact softplus");

            void Close(float actual, double expected, double relative, string what, double absolute = 1.2e-38)
            {
                if (double.IsNaN(expected) || double.IsInfinity(expected))
                    Assert.That((double)actual, Is.EqualTo(expected), $"{what}({v})");
                else
                    Assert.That(actual, Is.EqualTo(expected).Within(relative * Math.Abs(expected) + absolute), $"{what}({v})");
            }
        }
    }

    [Test]
    public void Reduce_WarpsAndBlock_AreSumsMaximaAndScans([Values] CudaSchedule schedule, [Values] bool withNaN)
    {
        var random = new Random(6);
        var x = Enumerable.Range(0, 128).Select(_ => (float)random.Next(-50, 50)).ToArray();
        if (withNaN)
            x[77] = float.NaN;
        var r = Run(
            "reduce", 1, 128, array => [array(x), .. Enumerable.Range(0, 7).Select(_ => (CudaArgument)array(new float[128]))], schedule: schedule);
        float Maximum(IEnumerable<float> of) => of.Aggregate(MathF.Max);   // NaN where one is
        for (var i = 0; i < 128; i++)
        {
            var ofWarp = x[(i / 32 * 32)..(i / 32 * 32 + 32)];
            Assert.That(r[1][i], Is.EqualTo(ofWarp.Sum()), "sum of a warp");
            Assert.That(r[2][i], Is.EqualTo(Maximum(ofWarp)), "maximum of a warp");
            Assert.That(r[3][i], Is.EqualTo(x[(i / 32 * 32)..(i + 1)].Sum()), "scan of a warp");
            Assert.That(r[4][i], Is.EqualTo(x.Sum()), "sum of the block");
            Assert.That(r[5][i], Is.EqualTo(Maximum(x)), "maximum of the block");
            Assert.That(r[6][i], Is.EqualTo(x.Aggregate(MathF.Min)), "minimum of the block");
            Assert.That(r[7][i], Is.EqualTo(x[..(i + 1)].Sum()), "scan of the block");
        }
    }

    [TestCase(0)]
    [TestCase(8)]
    [TestCase(16)]
    public void Copies_TwoStages_BringEverything(int valid)
    {
        const int tiles = 5;
        var x = Enumerable.Range(1, 128 * tiles).Select(i => (float)i).ToArray();
        var r = Run("pipeline", 1, 32, array => [array(x), array(new float[x.Length]), array(new float[32]), tiles, valid]);
        var expected = x.ToArray();
        expected.AsSpan(expected.Length - 4 + valid / 4).Clear();
        Assert.That(r[1], Is.EqualTo(expected));
        Assert.That(r[2], Is.EqualTo(x[..32].Select((v, i) => i % 2 == 0 ? v : 0)));
    }

    [Test]
    public void Votes_OfAWarpAndABlock_AreCounted([Values] CudaSchedule schedule)
    {
        var r = Run("votes", 1, 32, array => [array(new float[32]), array(new float[32])], schedule: schedule);
        Assert.That(r[0], Is.All.EqualTo(0b1001001001001001));
        Assert.That(r[1], Is.All.EqualTo(1 + 4 * 10 + 1000 + 10000 * 496));
    }

    [Test]
    public void Shuffles_InGroups_StayInThem()
    {
        var r = Run("shuffles", 1, 32, array => [array(new float[128])])[0];
        for (var l = 0; l < 32; l++)
        {
            Assert.That(r[l], Is.EqualTo(l / 8 * 8 + 3));
            Assert.That(r[32 + l], Is.EqualTo(l % 8 >= 2 ? l - 2 : l));
            Assert.That(r[64 + l], Is.EqualTo(l % 8 < 6 ? l + 2 : l));
            Assert.That(r[96 + l], Is.EqualTo(l ^ 5));
        }
    }

    [Test]
    public void Atomics_OfManyBlocks_Count()
    {
        var r = Run("count_atomically", 3, 96, array => [array(new float[2]), array(new float[1])])[0];
        Assert.That(MemoryMarshal.Cast<float, int>(r).ToArray(), Is.EqualTo(new[] { 3 * 96, 95 }));
    }

    [Test]
    public void DynamicSharedMemory_AsMuchAsACardHas_IsThere()
    {
        var count = (_card?.SharedBytesPerBlock ?? 227 << 10) / sizeof(float);
        var x = Enumerable.Range(0, count).Select(i => (float)i).ToArray();
        var y = Run("dynamic", 1, 256, array => [array(x), array(new float[count]), count], sharedBytes: count * sizeof(float))[1];
        Assert.That(y, Is.EqualTo(x.Reverse()));
    }

    [Test]
    public void Where_ThreeDimensions_AreNumberedAsOnACard([Values] CudaSchedule schedule)
    {
        var y = Run("where", new CudaSize(2, 3, 2), new CudaSize(8, 4, 3), array => [array(new float[12 * 96])], schedule: schedule)[0];
        for (var i = 0; i < y.Length; i++)
        {
            var n = i % 96;
            Assert.That(y[i], Is.EqualTo(n % 8 + n / 8 % 4 * 10 + n / 32 * 100 + n % 32 * 1000 + n / 32 * 100000));
        }
    }

    private List<float[]> Run(
        string kernel, CudaSize grid, CudaSize block, EmulatedKernel.Arguments arguments, int sharedBytes = 0,
        CudaSchedule schedule = CudaSchedule.Ascending, int architecture = 90)
    {
        if (onCard && schedule != CudaSchedule.Ascending)
            Assert.Ignore("A card has its own order of threads.");
        return EmulatedKernel.Run(File, kernel, grid, block, arguments, sharedBytes, schedule, architecture, _card);
    }

    private static float[] Pack(string type, int[] values)
    {
        byte[] bytes = type[(type.IndexOf('_') + 1)..] switch
        {
            "tf32" => [.. values.SelectMany(v => BitConverter.GetBytes((float)v))],
            "bf16" => [.. values.SelectMany(v => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(v) >> 16)))],
            "fp16" => [.. values.SelectMany(v => BitConverter.GetBytes((Half)v))],
            "s8" => [.. values.Select(v => (byte)(sbyte)v)],
            _ => [.. values.Select(v => (byte)Enumerable.Range(0, 256).First(i => E4M3((byte)i) == v))],
        };
        return MemoryMarshal.Cast<byte, float>(bytes).ToArray();
    }

    /// <summary>FP8 of 4 exponent and 3 fraction bits, bias 7, without infinities (Micikevicius et al. 2022, table 1).</summary>
    private static float E4M3(byte bits)
    {
        var (exponent, fraction) = (bits >> 3 & 15, bits & 7);
        var magnitude = (bits & 0x7F) == 0x7F ? float.NaN : exponent == 0 ? fraction / 512f : (1 + fraction / 8f) * MathF.Pow(2, exponent - 7);
        return bits >= 128 ? -magnitude : magnitude;
    }

    private static float NearestE4M3(float x, float[] grid)
    {
        if (float.IsNaN(x))
            return x;
        var clamped = Math.Clamp((double)x, -448, 448);
        var nearest = grid.Min(g => Math.Abs(g - clamped));
        // Ties go to the even one of the two: its last fraction bit is zero.
        return grid.Where(g => Math.Abs(g - clamped) == nearest)
            .MinBy(g => Enumerable.Range(0, 256).First(i => E4M3((byte)i) == g) & 1);
    }

    private static float BFloat16(float x)
    {
        var bits = BitConverter.SingleToUInt32Bits(x);
        return float.IsNaN(x) ? x : BitConverter.UInt32BitsToSingle((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000);
    }

    /// <summary>Ten bits of fraction, ties away from zero.</summary>
    private static float Tf32(float x) =>
        float.IsNaN(x) ? x : BitConverter.UInt32BitsToSingle((BitConverter.SingleToUInt32Bits(x) + 0x1000) & 0xFFFFE000);
}
