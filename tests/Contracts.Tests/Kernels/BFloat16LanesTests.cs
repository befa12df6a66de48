using Zoo.Kernels.Cpu;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

/// <summary>Conversions of the vectors to bfloat16 and back.</summary>
public sealed unsafe class BFloat16LanesTests
{
    [Test]
    public void StoreBFloat16_EveryKindOfNumber_RoundsAsTorchDoes()
    {
        using var scope = NewDisposeScope();
        // Upper halves of every sign and exponent, with lower halves below, at and above the middle.
        var bits = Enumerable.Range(0, 1 << 16).SelectMany(upper => new[] { 0u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu }.Select(lower => (uint)upper << 16 | lower));
        var numbers = bits.Select(BitConverter.UInt32BitsToSingle).ToArray();
        var stored = new ushort[numbers.Length];
        var loaded = new float[numbers.Length];
        Simd.Run(new RoundTrip(numbers, stored, loaded));
        var expected = tensor(numbers).to(ScalarType.BFloat16).to(ScalarType.Float32).data<float>().ToArray();
        for (var i = 0; i < numbers.Length; i++)
        {
            Assert.That(BitConverter.SingleToUInt32Bits(loaded[i]), Is.EqualTo((uint)stored[i] << 16), $"{numbers[i]:R} loaded");
            if (float.IsNaN(numbers[i]))
                Assert.That(float.IsNaN(loaded[i]), Is.True, $"{BitConverter.SingleToUInt32Bits(numbers[i]):x8}");
            else
                Assert.That(BitConverter.SingleToUInt32Bits(loaded[i]), Is.EqualTo(BitConverter.SingleToUInt32Bits(expected[i])), $"{numbers[i]:R}");
        }
    }

    private readonly struct RoundTrip(float[] numbers, ushort[] stored, float[] loaded) : ISimdKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            Assert.That(numbers.Length % V.Count, Is.Zero);
            fixed (float* source = numbers, back = loaded)
            fixed (ushort* target = stored)
            {
                for (var i = 0; i < numbers.Length; i += V.Count)
                {
                    V.Load(source + i).StoreBFloat16(target + i);
                    V.LoadBFloat16(target + i).Store(back + i);
                }
            }
        }
    }
}
