using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>What the step form remembers: every layer's keys and values, allocated once for the longest sequence.</summary>
internal sealed class KeyValueCache : ModelState
{
    private readonly ILayerCache[] _layers;
    private readonly int _longest;

    private KeyValueCache(ILayerCache[] layers, int longest)
    {
        _layers = layers;
        _longest = longest;
    }

    /// <summary>How many tokens it holds.</summary>
    public long Length => _layers[0].Length;

    /// <summary>Memory of all layers.</summary>
    public long Bytes => _layers.Sum(l => l.Bytes);

    /// <summary>An empty cache.</summary>
    /// <param name="config">Its sizes.</param>
    /// <param name="batch">How many sequences.</param>
    /// <param name="dtype">Of the model's hidden states.</param>
    /// <param name="device">Where the model is.</param>
    public static KeyValueCache New(TransformerConfig config, int batch, ScalarType dtype, Device device)
    {
        using var noGradient = no_grad();
        if (config.Cache == CacheKind.Int8 && device.type != TorchSharp.DeviceType.CPU)
            throw new UserException($"transformer: kv_cache \"int8\" runs on the CPU, and the model is on {device}; set kv_cache=float32, or --device cpu.");
        long[] shape = [batch, config.KeyHeadCount, config.SequenceLength, config.HeadDim];
        return new KeyValueCache([.. Enumerable.Range(0, config.LayerCount).Select(_ => Layer())], config.SequenceLength);

        ILayerCache Layer() => config.Cache == CacheKind.Int8 ? QuantizedLayerCache.New(shape) : new LayerCache(Zeros(), Zeros());

        Tensor Zeros() => zeros(shape, dtype, device).DetachFromDisposeScope();
    }

    /// <summary>One layer's part.</summary>
    public ILayerCache Layer(int index) => _layers[index];

    /// <summary>Requires room for further tokens.</summary>
    /// <exception cref="UserException">There is none.</exception>
    public void RequireRoom(long tokens)
    {
        if (Length + tokens > _longest)
        {
            throw new UserException($"transformer: the cache has room for {_longest} tokens and holds {Length}; {tokens} more do not fit. " +
                "The bound is block_size or max_position_embeddings.");
        }
    }

    /// <inheritdoc/>
    public override ModelState Clone()
    {
        using var noGradient = no_grad();
        return new KeyValueCache([.. _layers.Select(l => l.Clone())], _longest);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach (var layer in _layers)
            layer.Dispose();
    }
}
