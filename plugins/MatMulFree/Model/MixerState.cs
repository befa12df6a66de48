using static TorchSharp.torch;

namespace Zoo.MatMulFree.Model;

/// <summary>What a token mixer remembers: the recurrence's state and, with short convolutions, their last inputs.</summary>
/// <param name="hidden">[batch, inner dim]; owned.</param>
/// <param name="firstInputs">Of the shared convolution, or the input's, [batch, width, channel]; owned.</param>
/// <param name="secondInputs">Of the forget gate's; owned.</param>
internal sealed class MixerState(Tensor hidden, Tensor? firstInputs, Tensor? secondInputs) : IDisposable
{
    public Tensor Hidden { get; private set; } = hidden;

    public Tensor? FirstInputs { get; private set; } = firstInputs;

    public Tensor? SecondInputs { get; private set; } = secondInputs;

    /// <summary>Takes new tensors over from the present scope and frees the old ones.</summary>
    public void Replace(Tensor hidden, Tensor? firstInputs, Tensor? secondInputs)
    {
        Dispose();
        Hidden = hidden.DetachFromDisposeScope();
        FirstInputs = firstInputs?.DetachFromDisposeScope();
        SecondInputs = secondInputs?.DetachFromDisposeScope();
    }

    public MixerState Clone() => new(Copy(Hidden)!, Copy(FirstInputs), Copy(SecondInputs));

    public void Dispose()
    {
        Hidden.Dispose();
        FirstInputs?.Dispose();
        SecondInputs?.Dispose();
    }

    private static Tensor? Copy(Tensor? tensor) => tensor?.clone().DetachFromDisposeScope();
}
