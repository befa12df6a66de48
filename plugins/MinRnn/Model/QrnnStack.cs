using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>The layers in order; the modules belong to the model, whose keys they carry.</summary>
/// <param name="layers">The layers.</param>
/// <param name="config">Says what is dropped between them.</param>
internal sealed class QrnnStack(ModuleList<QrnnLayer> layers, QrnnConfig config)
{
    /// <summary>Through all layers.</summary>
    /// <param name="x">[time, batch, dim].</param>
    /// <param name="state">Changed to the final one; null to start afresh and keep nothing.</param>
    /// <param name="random">For dropout and zoneout; null in evaluation.</param>
    /// <param name="initial">Every layer's state before, [layer, batch, hidden], in place of <paramref name="state"/>'s; null for that.</param>
    /// <returns>The top layer's outputs, [time, batch, hidden], and every layer's final state, [layer, batch, hidden].</returns>
    public (Tensor Output, Tensor Last) Forward(Tensor x, RecurrentState? state, CounterRandom? random, Tensor? initial = null)
    {
        using var scope = NewDisposeScope();
        var first = 0;
        var finals = new List<Tensor>();
        for (var i = 0; i < layers.Count; i++)
        {
            (x, var last) = layers[i].Forward(x, new StateSlots(state, first), random, initial?.select(0, i));
            finals.Add(last);
            first += layers[i].StateShapes.Count;
            if (i < layers.Count - 1)
                x = Dropout.Apply(x, config.Dropout, random);
        }
        return (x.MoveToOuterDisposeScope(), cat(finals).MoveToOuterDisposeScope());
    }

    /// <summary>Zeros.</summary>
    public RecurrentState NewState(int batch, Device device) => new([.. layers
        .SelectMany(l => l.StateShapes)
        .Select(shape => zeros([batch, .. shape], ScalarType.Float32, device).DetachFromDisposeScope())]);
}
