using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>What moves information along time in a block.</summary>
/// <param name="name">The module's name.</param>
internal abstract class Mixer(string name) : nn.Module(name)
{
    /// <summary>Shapes of what it remembers of one sequence, without the batch.</summary>
    public abstract IReadOnlyList<long[]> StateShapes { get; }

    /// <summary>Mixes.</summary>
    /// <param name="x">[batch, time, dim].</param>
    /// <param name="state">Where to start from, and changed to the final state.</param>
    /// <returns>[batch, time, dim].</returns>
    public abstract Tensor Forward(Tensor x, StateSlots state);

    /// <summary>The last step of [batch, time, dim], [batch, 1, dim].</summary>
    protected static Tensor Last(Tensor states) => states.narrow(1, states.size(1) - 1, 1);
}
