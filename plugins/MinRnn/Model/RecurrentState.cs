using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>What the layers remember between tokens: a few tensors, written in place.</summary>
/// <param name="slots">The layers' tensors in order; owned.</param>
internal sealed class RecurrentState(IReadOnlyList<Tensor> slots) : ModelState
{
    /// <summary>A tensor to read; it changes with the next <see cref="Keep"/>.</summary>
    public Tensor this[int slot] => slots[slot];

    /// <summary>Writes a tensor of the same shape.</summary>
    public void Keep(int slot, Tensor value)
    {
        using var noGrad = no_grad();
        slots[slot].copy_(value);
    }

    public override ModelState Clone() => new RecurrentState([.. slots.Select(s => s.clone().DetachFromDisposeScope())]);

    public override void Dispose()
    {
        foreach (var slot in slots)
            slot.Dispose();
    }
}
