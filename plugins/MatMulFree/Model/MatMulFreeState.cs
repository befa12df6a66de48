using Zoo.Architectures;

namespace Zoo.MatMulFree.Model;

/// <summary>What the step form remembers, block by block.</summary>
/// <param name="layers">Owned.</param>
internal sealed class MatMulFreeState(IReadOnlyList<MixerState> layers) : ModelState
{
    public IReadOnlyList<MixerState> Layers => layers;

    public override ModelState Clone() => new MatMulFreeState([.. layers.Select(l => l.Clone())]);

    public override void Dispose()
    {
        foreach (var layer in layers)
            layer.Dispose();
    }
}
