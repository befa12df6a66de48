using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>Embedding of vectors or ids, and the layers.</summary>
internal sealed class LruEncoder : nn.Module
{
    [ComponentName(Name = "encoder")] private readonly nn.Module<Tensor, Tensor> _embedding;
    private readonly List<LruLayer> _layers = [];

    public LruEncoder(LruConfig config, BuildContext context) : base(nameof(LruEncoder))
    {
        _embedding = config.VocabSize is { } vocab
            ? new FlaxEmbedding(vocab, config.ModelDim, context)
            : new FlaxDense(config.InputDim!.Value, config.ModelDim, context);
        RegisterComponents();
        for (var i = 0; i < config.LayerCount; i++)
        {
            _layers.Add(new LruLayer(config, context));
            register_module($"layers_{i}", _layers[i]);        // Flax's names, which no list of modules makes
        }
    }

    /// <param name="inputs">[batch, time, dim], or ids, int64 [batch, time].</param>
    /// <param name="state">Changed to the final one; null to start afresh and keep nothing.</param>
    /// <param name="random">For dropout; null in evaluation.</param>
    /// <returns>[batch, time, dim].</returns>
    public Tensor Forward(Tensor inputs, RecurrentState? state, CounterRandom? random)
    {
        using var scope = NewDisposeScope();
        var x = _embedding.forward(inputs);
        var first = 0;
        foreach (var layer in _layers)
        {
            x = layer.Forward(x, new StateSlots(state, first), random);
            first += layer.StateShapes.Count;
        }
        return x.MoveToOuterDisposeScope();
    }

    /// <summary>Zeros.</summary>
    public RecurrentState NewState(int batch, Device device) => new([.. _layers
        .SelectMany(l => l.StateShapes)
        .Select(shape => zeros([batch, .. shape], ScalarType.Float32, device).DetachFromDisposeScope())]);
}
