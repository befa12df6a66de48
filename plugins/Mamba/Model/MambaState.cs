using Zoo.Architectures;

namespace Zoo.Mamba.Model;

/// <summary>What the step form remembers, block by block.</summary>
/// <param name="layers">Owned.</param>
internal sealed class MambaState(IReadOnlyList<MambaLayerState> layers) : ModelState
{
    public IReadOnlyList<MambaLayerState> Layers => layers;

    /// <summary>The steps prepared for it; null before the first. Owned.</summary>
    public MambaSteps? Steps
    {
        get;
        set
        {
            field?.Dispose();
            field = value;
        }
    }

    public override ModelState Clone() => new MambaState([.. layers.Select(l => l.Clone())]);

    public override void Dispose()
    {
        Steps = null;
        foreach (var layer in layers)
            layer.Dispose();
    }
}
