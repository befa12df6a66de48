using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>A layer's part of the state.</summary>
/// <param name="State">All of it; null where a sequence starts afresh and nothing is kept.</param>
/// <param name="First">The layer's first slot.</param>
internal readonly record struct StateSlots(RecurrentState? State, int First)
{
    /// <summary>The tensor in a slot, or null where there is no state.</summary>
    public Tensor? Find(int slot) => State?[First + slot];

    /// <summary>Writes a slot, where there is a state.</summary>
    public void Keep(int slot, Tensor value) => State?.Keep(First + slot, value);

    /// <summary>The slots from one on.</summary>
    public StateSlots From(int slot) => this with { First = First + slot };
}
