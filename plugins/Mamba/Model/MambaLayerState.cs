using static TorchSharp.torch;

namespace Zoo.Mamba.Model;

/// <summary>What a block remembers: the convolution's last inputs and the scan's states.</summary>
/// <param name="inputs">[batch, width, channel]; owned.</param>
/// <param name="states">[batch, channel, state]; owned.</param>
/// <param name="a">A, [channel, state], computed once for all steps; shared with clones.</param>
internal sealed class MambaLayerState(Tensor inputs, Tensor states, Tensor a) : IDisposable
{
    public Tensor Inputs { get; private set; } = inputs;

    public Tensor States { get; private set; } = states;

    public Tensor A { get; } = a;

    /// <summary>Takes new tensors over from the present scope and frees the old ones.</summary>
    public void Replace(Tensor inputs, Tensor states)
    {
        Inputs.Dispose();
        States.Dispose();
        Inputs = inputs.DetachFromDisposeScope();
        States = states.DetachFromDisposeScope();
    }

    /// <summary>Takes over inputs that a step has filled, and gives the old ones up to whoever keeps both.</summary>
    public void Exchange(Tensor inputs) => Inputs = inputs;

    public MambaLayerState Clone() =>
        new(Inputs.clone().DetachFromDisposeScope(), States.clone().DetachFromDisposeScope(), A.alias().DetachFromDisposeScope());

    public void Dispose()
    {
        Inputs.Dispose();
        States.Dispose();
        A.Dispose();
    }
}
