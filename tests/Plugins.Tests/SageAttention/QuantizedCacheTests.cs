using Zoo.Architectures;
using Zoo.Kernels.Cpu;
using Zoo.SageAttention;
using static TorchSharp.torch;

namespace Zoo.Tests.Sage;

public sealed class QuantizedCacheTests
{
    [Test]
    public void AttendOne_AnyLengthAndDim_IsAttentionToWhatIsKept([Values(1, 2, 63, 64, 65, 131)] int length, [Values(1, 8, 20, 33, 64, 128)] int dim)
    {
        using var scope = NewDisposeScope();
        var (k, v) = Tokens(2, length, 2, dim);
        using var cache = QuantizedLayerCache.New([2, 2, length + 3, dim]);
        cache.Append(k, v);
        var q = randn(2, 1, 4, dim);
        var expected = Attention(q, cache.Keys.to(float64), cache.Values.to(float64));
        var error = (cache.AttendOne(q) - expected).abs().max().item<double>();
        TestContext.Out.WriteLine($"{error:E1}");
        Assert.That(error, Is.LessThan(4e-6));
    }

    [Test]
    public void AttendOne_LargeScores_IsAttentionToWhatIsKept()
    {
        using var scope = NewDisposeScope();
        var (k, v) = Tokens(1, 100, 1, 32);
        using var cache = QuantizedLayerCache.New([1, 1, 100, 32]);
        cache.Append(k, v);
        var q = randn(1, 1, 1, 32) * 100;
        Assert.That((cache.AttendOne(q) - Attention(q, cache.Keys.to(float64), cache.Values.to(float64))).abs().max().item<double>(), Is.LessThan(1e-3));
    }

    /// <summary>Within half a unit, and a unit is at most 1/127 of the token's largest number, rounded up to 8 bits.</summary>
    [Test]
    public void Append_KeysWithALargeMean_AreKeptWithinAUnitOfTheirDistanceToIt()
    {
        using var scope = NewDisposeScope();
        var (k, v) = Tokens(1, 200, 2, 64);
        k += randn(1, 1, 2, 64) * 30;
        using var cache = QuantizedLayerCache.New([1, 2, 200, 64]);
        cache.Append(k, v);
        var (keys, values) = (k.transpose(1, 2), v.transpose(1, 2));
        var later = (cache.Keys - keys).abs().narrow(2, 64, 136).max().item<float>();
        var spread = (keys - keys.mean([2], keepdim: true)).abs().max().item<float>();
        Assert.That(later, Is.LessThan(1.3 * spread / 254), "the mean of the tokens before costs nothing");
        Assert.That((cache.Values - values).abs().sub(values.abs().amax([-1], keepdim: true) * (1.01 / 254)).max().item<float>(), Is.LessThan(0));
    }

    [Test]
    public void Append_InAnyPieces_KeepsTheSame()
    {
        using var scope = NewDisposeScope();
        var (k, v) = Tokens(2, 150, 2, 24);
        using var whole = QuantizedLayerCache.New([2, 2, 150, 24]);
        using var pieces = QuantizedLayerCache.New([2, 2, 150, 24]);
        whole.Append(k, v);
        var start = 0;
        foreach (var count in new[] { 1, 62, 1, 1, 64, 21 })
        {
            pieces.Append(k.narrow(1, start, count), v.narrow(1, start, count));
            start += count;
        }
        Assert.That(pieces.Keys.Equals(whole.Keys) && pieces.Values.Equals(whole.Values), Is.True);
    }

    [Test]
    public void Clone_Stepped_LeavesTheOther()
    {
        using var scope = NewDisposeScope();
        var (k, v) = Tokens(1, 70, 1, 8);
        using var cache = QuantizedLayerCache.New([1, 1, 70, 8]);
        cache.Append(k.narrow(1, 0, 60), v.narrow(1, 0, 60));
        var before = cache.Keys.clone();
        using var copy = cache.Clone();
        copy.Append(k.narrow(1, 60, 10), v.narrow(1, 60, 10));
        Assert.That((cache.Length, copy.Length), Is.EqualTo((60L, 70L)));
        Assert.That(cache.Keys.Equals(before), Is.True);
    }

    [Test]
    public void AttendOne_TwoThreads_SameBits()
    {
        using var scope = NewDisposeScope();
        var (k, v) = Tokens(2, 90, 2, 32);
        var q = randn(2, 1, 4, 32);
        Tensor Run()
        {
            using var cache = QuantizedLayerCache.New([2, 2, 90, 32]);
            cache.Append(k, v);
            return cache.AttendOne(q);
        }
        var one = Run();
        try
        {
            WorkShare.Threads = 2;
            Assert.That(Run().Equals(one), Is.True);
        }
        finally
        {
            WorkShare.Threads = 1;
        }
    }

    [Test]
    public void AttendOne_ZerosAndNotANumber_AreZerosAndNotANumber()
    {
        using var scope = NewDisposeScope();
        using var cache = QuantizedLayerCache.New([1, 1, 4, 8]);
        cache.Append(zeros(1, 2, 1, 8), zeros(1, 2, 1, 8));
        Assert.That(cache.AttendOne(ones(1, 1, 1, 8)).eq(0).all().item<bool>(), Is.True);
        cache.Append(full([1, 1, 1, 8], float.NaN), zeros(1, 1, 1, 8));
        Assert.That(cache.AttendOne(ones(1, 1, 1, 8)).isnan().all().item<bool>(), Is.True);
    }

    // What is below 0.3 is all but the running sum of keys, which a cache of few tokens feels.
    [TestCase(16, 256), TestCase(32, 64), TestCase(64, 64), TestCase(64, 1000), TestCase(128, 64)]
    public void Memory_AnyHead_IsAtMostThreeTenthsOfFloat32s(int dim, int longest)
    {
        using var scope = NewDisposeScope();
        var config = new NanoGptConfig { EmbeddingDim = 2 * dim, Heads = 2, BlockSize = longest };
        Assert.That(Bytes(config with { Cache = CacheKind.Int8 }), Is.LessThanOrEqualTo(0.3 * Bytes(config)));
    }

    private static long Bytes(NanoGptConfig config)
    {
        using var scope = NewDisposeScope();
        using var model = (TokenModel)new TransformerArchitecture().CreateModel(config, new BuildContext());
        using var state = model.NewState(3)!;
        return ((KeyValueCache)state).Bytes;
    }

    private static (Tensor Keys, Tensor Values) Tokens(long batch, long length, long heads, long dim)
    {
        manual_seed(1);
        return (randn(batch, length, heads, dim), randn(batch, length, heads, dim));
    }

    private static Tensor Attention(Tensor q, Tensor k, Tensor v)
    {
        var group = q.shape[2] / k.shape[1];
        var (keys, values) = (k.repeat_interleave(group, dim: 1), v.repeat_interleave(group, dim: 1));
        var scores = einsum("bthd,bhnd->bhtn", q.to(float64), keys) / Math.Sqrt(q.shape[3]);
        return einsum("bhtn,bhnd->bthd", scores.softmax(-1), values);
    }
}
