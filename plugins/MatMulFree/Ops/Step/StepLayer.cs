using Zoo.MatMulFree.Ops.PackedBitLinear;

namespace Zoo.MatMulFree.Ops.Step;

/// <summary>A block's memory, for a step.</summary>
internal unsafe struct StepLayer
{
    public PackedMatrix Input, Forget, Gate, Output;     // of the token mixer
    public PackedMatrix Up, Down;                        // of the channel mixer; Up gives gate and value
    public float* MixerNorm, ChannelNorm, GateNorm;
    public float* Bound;                                 // of the forget gates; null for none
    public float* State;                                 // [batch, inner], changed

    /// <summary>Of all its codes.</summary>
    public readonly long CodeBytes => Input.CodeBytes + Forget.CodeBytes + Gate.CodeBytes + Output.CodeBytes + Up.CodeBytes + Down.CodeBytes;
}
