using Zoo.Kernels;
using Zoo.SageAttention.Ops.Cache;
using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>Keys and values that one layer has seen, as INT8, quantised token by token as they come (Ops/Cache/README.md has the rules).</summary>
internal sealed class QuantizedLayerCache : ILayerCache
{
    private readonly Tensor _keys, _values;                     // int8, [batch, key head, longest, dim]
    private readonly Tensor _keyScales, _valueScales;           // bfloat16, [batch, key head, longest]
    private readonly Tensor _centres;                           // float32, [batch, key head, block of tokens, dim]
    private readonly Tensor _sums;                              // float32, of all keys, [batch, key head, dim]

    private QuantizedLayerCache(Tensor keys, Tensor values, Tensor keyScales, Tensor valueScales, Tensor centres, Tensor sums) =>
        (_keys, _values, _keyScales, _valueScales, _centres, _sums) = (keys, values, keyScales, valueScales, centres, sums);

    public long Length { get; private set; }

    public long Bytes => All.Sum(t => t.numel() * t.element_size());

    public Tensor Keys
    {
        get
        {
            using var scope = NewDisposeScope();
            var centres = _centres.repeat_interleave(QuantizedCache.TokensOfABlock, dim: 2).narrow(2, 0, Length);
            return (Scaled(_keys, _keyScales) + centres).MoveToOuterDisposeScope();
        }
    }

    public Tensor Values
    {
        get
        {
            using var scope = NewDisposeScope();
            return Scaled(_values, _valueScales).MoveToOuterDisposeScope();
        }
    }

    /// <summary>An empty cache.</summary>
    /// <param name="shape">[batch, key head, longest, dim].</param>
    public static QuantizedLayerCache New(long[] shape)
    {
        var (batch, heads, longest, dim) = (shape[0], shape[1], shape[2], shape[3]);
        var blocks = (longest + QuantizedCache.TokensOfABlock - 1) / QuantizedCache.TokensOfABlock;
        return new(
            Zeros(ScalarType.Int8, batch, heads, longest, dim), Zeros(ScalarType.Int8, batch, heads, longest, dim),
            Zeros(ScalarType.BFloat16, batch, heads, longest), Zeros(ScalarType.BFloat16, batch, heads, longest),
            Zeros(ScalarType.Float32, batch, heads, blocks, dim), Zeros(ScalarType.Float32, batch, heads, dim));

        static Tensor Zeros(ScalarType dtype, params long[] sizes) => zeros(sizes, dtype, CPU).DetachFromDisposeScope();
    }

    public void Append(Tensor moreKeys, Tensor moreValues)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var (k, v) = (Contiguous(moreKeys), Contiguous(moreValues));
        Memory().Append(KernelArray.Of(k), KernelArray.Of(v), (int)Length, (int)k.shape[1]);
        KeepAlive(k, v);
        Length += k.shape[1];
    }

    public Tensor AttendOne(Tensor q)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var queries = Contiguous(q);
        var o = empty_like(queries);
        Memory().Attend(KernelArray.Of(queries), KernelArray.Of(o), (int)q.shape[2], (int)Length);
        KeepAlive(queries, o);
        return o.to(q.dtype).MoveToOuterDisposeScope();
    }

    public ILayerCache Clone() =>
        new QuantizedLayerCache(Copy(_keys), Copy(_values), Copy(_keyScales), Copy(_valueScales), Copy(_centres), Copy(_sums)) { Length = Length };

    public void Dispose()
    {
        foreach (var tensor in All)
            tensor.Dispose();
    }

    private Tensor[] All => [_keys, _values, _keyScales, _valueScales, _centres, _sums];

    private QuantizedCache Memory() => new(
        KernelArray.Of(_keys), KernelArray.Of(_values), KernelArray.Of(_keyScales), KernelArray.Of(_valueScales), KernelArray.Of(_centres), KernelArray.Of(_sums),
        (int)_keys.shape[0], (int)_keys.shape[1], (int)_keys.shape[2], (int)_keys.shape[3]);

    private Tensor Scaled(Tensor whole, Tensor scales) =>
        whole.narrow(2, 0, Length).to(ScalarType.Float32) * scales.narrow(2, 0, Length).to(ScalarType.Float32).unsqueeze(-1);

    private static Tensor Contiguous(Tensor x) => x.detach().to(ScalarType.Float32).contiguous();

    private static Tensor Copy(Tensor x) => x.clone().DetachFromDisposeScope();

    private void KeepAlive(params Tensor[] used)
    {
        GC.KeepAlive(used);
        GC.KeepAlive(this);
    }
}
