using Zoo.Architectures;

namespace Zoo.MatMulFree.Model;

/// <summary>What the step form remembers, block by block.</summary>
/// <param name="layers">Owned.</param>
internal sealed class MatMulFreeState(IReadOnlyList<MixerState> layers) : ModelState
{
    public IReadOnlyList<MixerState> Layers => layers;

    /// <summary>Memory that steps on packed weights work in; it remembers nothing. Owned; null before the first such step.</summary>
    public PackedDecoder? Decoder { get; set; }

    public override ModelState Clone() => new MatMulFreeState([.. layers.Select(l => l.Clone())]);

    public override void Dispose()
    {
        foreach (var layer in layers)
            layer.Dispose();
        Decoder?.Dispose();
    }
}
