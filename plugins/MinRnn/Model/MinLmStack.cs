using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>The blocks in order, with their state; the modules belong to the model, whose keys they carry.</summary>
/// <param name="layers">The blocks.</param>
/// <param name="norm">The last normalisation.</param>
internal sealed class MinLmStack(ModuleList<MinLmBlock> layers, RmsNormLayer norm)
{
    /// <summary>Through all blocks.</summary>
    /// <param name="x">[batch, time, dim].</param>
    /// <param name="state">Changed to the final one; null to start afresh and keep nothing.</param>
    /// <param name="random">For dropout; null in evaluation.</param>
    /// <returns>[batch, time, dim].</returns>
    public Tensor Forward(Tensor x, RecurrentState? state, CounterRandom? random)
    {
        using var scope = NewDisposeScope();
        Tensor? addend = null;
        var first = 0;
        foreach (var layer in layers)
        {
            (x, addend) = layer.Forward(x, addend, new StateSlots(state, first), random);
            first += layer.StateShapes.Count;
        }
        return norm.Forward(x, addend).Normalised.MoveToOuterDisposeScope();
    }

    /// <summary>Zeros.</summary>
    public RecurrentState NewState(int batch, Device device) => new([.. layers
        .SelectMany(l => l.StateShapes)
        .Select(shape => zeros([batch, .. shape], ScalarType.Float32, device).DetachFromDisposeScope())]);
}
